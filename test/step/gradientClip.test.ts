import { globalNorm, GradientClip } from '../../src/step/gradientClip';
import { errorWithCode } from '../errorWithCode';

const gradients = (): Float32Array[] => [Float32Array.of(3, 0), Float32Array.of(0, -4, 12)]; // norm sqrt(9 + 16 + 144) = 13

function clipped(options: ConstructorParameters<typeof GradientClip>[0], from = gradients()): number[][] {
  const out = from.map((gradient) => new Float32Array(gradient.length));
  new GradientClip(options).apply(from, out);
  return out.map((gradient) => [...gradient]);
}

describe('GradientClip', () => {
  it('scales all gradients together to the norm that is allowed', () => {
    expect(globalNorm(gradients())).toBe(13);
    const [first, second] = clipped({ clipNorm: 6.5 });
    expect([first, second]).toEqual([
      [1.5, 0],
      [0, -2, 6],
    ]);
  });

  it('leaves gradients within the norm as they are', () => {
    expect(clipped({ clipNorm: 26 })).toEqual(gradients().map((gradient) => [...gradient]));
  });

  it('brings every element into the range that is allowed', () => {
    expect(clipped({ clipValue: 3.5 })).toEqual([
      [3, 0],
      [0, -3.5, 3.5],
    ]);
  });

  it('leaves its input alone unless it is also the output', () => {
    const from = gradients();
    clipped({ clipNorm: 1 }, from);
    expect(from).toEqual(gradients());
    new GradientClip({ clipValue: 1 }).apply(from, from);
    expect(from[1]).toEqual(Float32Array.of(0, -1, 1));
  });

  it('does not overflow where the squares of float32 numbers would', () => {
    const [[value]] = clipped({ clipNorm: 1 }, [Float32Array.of(1e30)]);
    expect(value).toBe(1);
  });

  it('keeps NaN visible, and refuses to scale by a norm that is none', () => {
    expect(clipped({ clipValue: 1 }, [Float32Array.of(NaN)])).toEqual([[NaN]]);
    expect(() => clipped({ clipNorm: 1 }, [Float32Array.of(NaN)])).toThrow(
      errorWithCode('ERR_NATGRAD_NOT_FINITE'),
    );
  });

  it('is active when one of the bounds is given', () => {
    expect(new GradientClip({}).active).toBe(false);
    expect(new GradientClip({ clipNorm: 1 }).active).toBe(true);
    expect(new GradientClip({ clipValue: 1 }).active).toBe(true);
  });

  it('refuses both bounds at once and bounds that are not positive', () => {
    expect(() => new GradientClip({ clipNorm: 1, clipValue: 1 })).toThrow(/both given/);
    expect(() => new GradientClip({ clipNorm: 0 })).toThrow(/clipNorm is 0/);
    expect(() => new GradientClip({ clipValue: NaN })).toThrow(/clipValue is NaN/);
  });
});
