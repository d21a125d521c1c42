import { klClipScale, requireKlClip } from '../../src/step/klClip';

describe('klClipScale', () => {
  it('is 1 when switched off, whatever the dots', () => {
    expect(klClipScale(null, 10, [1e9, NaN])).toBe(1);
  });

  it('leaves steps within the bound alone', () => {
    // 0.1^2 * (0.05 + 0.05) = 0.001.
    expect(klClipScale(0.001, 0.1, [0.04, 0.05])).toBe(1);
    expect(klClipScale(0.001, 0.1, [])).toBe(1);
    expect(klClipScale(0.001, 0.1, [0, 0])).toBe(1);
  });

  it('shortens longer steps to exactly the bound', () => {
    const [kappa, learningRate, dots] = [0.001, 0.5, [2, 3, 0.25]];
    const scale = klClipScale(kappa, learningRate, dots);
    // The clipped step is -learningRate scale Delta, so its Delta' F Delta = sum (learningRate scale)^2 <Delta, V> is kappa.
    const bound = dots.reduce((sum, dot) => sum + (learningRate * scale) ** 2 * dot, 0);
    expect(bound).toBeCloseTo(kappa, 15);
    expect(scale).toBeLessThan(1);
  });

  it('counts blocks of negative dot with their magnitude instead of letting them cancel others', () => {
    expect(klClipScale(0.001, 1, [1, -1])).toBe(klClipScale(0.001, 1, [1, 1]));
  });

  it.each([NaN, Infinity])('refuses the dot %p and says which it is', (dot) => {
    expect(() => klClipScale(0.001, 1, [1, dot])).toThrow(
      `dots[1], the inner product of gradient and direction of a block, is ${dot}`,
    );
  });
});

describe('requireKlClip', () => {
  it('takes null and positive numbers', () => {
    expect(requireKlClip(null)).toBeNull();
    expect(requireKlClip(0.001)).toBe(0.001);
    for (const value of [0, -1, NaN]) expect(() => requireKlClip(value)).toThrow(/klClip is/);
  });
});
