import { bernoulli } from '../../src/fisher/bernoulli';
import { categorical } from '../../src/fisher/categorical';
import { fisherSettings, type FisherOption } from '../../src/fisher/options';

describe('fisherSettings', () => {
  it('samples one target per example unless told otherwise', () => {
    expect(fisherSettings()).toMatchObject({ estimator: 'sampled', draws: 1, distribution: undefined });
    expect(fisherSettings('exact')).toMatchObject({ estimator: 'exact', draws: 1 });
    expect(fisherSettings({ draws: 3 })).toMatchObject({ estimator: 'sampled', draws: 3 });
  });

  it('gives the likelihood of a recognised distribution, with the variance asked for', () => {
    const settings = fisherSettings({ variance: 4 });
    expect(settings.likelihoodOf('categorical')).toBe(categorical);
    expect(settings.likelihoodOf('bernoulli')).toBe(bernoulli);
    const outputs = { parameters: new Float32Array(2), rows: 1, columns: 2 };
    expect([...settings.likelihoodOf('gaussian').outputFisher(outputs, 0)]).toEqual([0.25, 0, 0, 0.25]);
  });

  it('recognises the output layer by the name of a variable', () => {
    const { isOutput } = fisherSettings({ distribution: 'categorical', output: /^logits\// });
    expect(isOutput?.('logits/kernel')).toBe(true);
    expect(isOutput?.('dense/kernel')).toBe(false);
    expect(fisherSettings().isOutput).toBeUndefined();
  });

  it('takes a likelihood of the user that has what the estimator needs', () => {
    const own = { sample: () => undefined };
    expect(fisherSettings({ distribution: own }).ownLikelihood?.distribution).toBe('own');
    for (const estimator of ['exact', 'gaussNewton', 'curvaturePropagation'] as const) {
      expect(() => fisherSettings({ distribution: own, estimator })).toThrow(/no factorColumns\(\)/);
    }
    expect(() => fisherSettings({ distribution: { outputFisher: () => new Float64Array() } })).toThrow(
      /no sample\(\)/,
    );
  });

  it('lets the estimators that draw have several draws', () => {
    expect(fisherSettings({ estimator: 'curvaturePropagation', draws: 3 })).toMatchObject({ draws: 3 });
    expect(() => fisherSettings({ estimator: 'gaussNewton', draws: 3 })).toThrow(/draws has no effect/);
  });

  it('takes the factor of H from outputFisher where a likelihood has no other', () => {
    // Oracle: B B' = H, for the H of a categorical distribution, whose rank is one less than its size.
    const outputFisher: typeof categorical.outputFisher = (...of) => categorical.outputFisher(...of);
    const { ownLikelihood } = fisherSettings({ distribution: { outputFisher }, estimator: 'exact' });
    const outputs = { parameters: Float32Array.of(0.3, -1, 0.7, 1, 0, 2), rows: 2, columns: 3 };
    expect(ownLikelihood!.factorColumns(3)).toBe(3);
    const columns = [0, 1, 2].map((column) => {
      const out = new Float32Array(6);
      ownLikelihood!.factorColumn(outputs, column, out);
      return out;
    });
    for (const row of [0, 1]) {
      const expected = outputFisher(outputs, row);
      for (let at = 0; at < 9; at++) {
        const [i, j] = [3 * row + Math.floor(at / 3), 3 * row + (at % 3)];
        const product = columns.reduce((sum, column) => sum + column[i] * column[j], 0);
        expect(Math.abs(product - expected[at])).toBeLessThan(1e-7);
      }
    }
  });

  it.each([
    ['too few elements', [1, 0], /gave 2 elements.*2 x 2/],
    ['a negative eigenvalue', [-1, 0, 0, 2], /eigenvalue -1/],
  ])('refuses an outputFisher that gives %s', (_, matrix, message) => {
    const own = { outputFisher: () => Float64Array.from(matrix) };
    const { ownLikelihood } = fisherSettings({ distribution: own, estimator: 'exact' });
    const outputs = { rows: 1, columns: 2 };
    expect(() => ownLikelihood!.factorColumn(outputs, 0, new Float32Array(2))).toThrow(message);
  });

  it('passes on what is not finite in an outputFisher, so that the batch is left out', () => {
    const own = { outputFisher: () => Float64Array.of(NaN) };
    const { ownLikelihood } = fisherSettings({ distribution: own, estimator: 'exact' });
    const out = new Float32Array(1);
    ownLikelihood!.factorColumn({ rows: 1, columns: 1 }, 0, out);
    expect(out[0]).toBeNaN();
  });

  it('keeps the methods of a likelihood that is an instance of a class', () => {
    class Own {
      readonly distribution = 'counts';
      sample(): void {}
    }
    expect(fisherSettings({ distribution: new Own() }).ownLikelihood).toMatchObject({
      distribution: 'counts',
    });
    expect(typeof fisherSettings({ distribution: new Own() }).ownLikelihood?.sample).toBe('function');
  });

  it.each<[string, unknown, RegExp]>([
    [
      'an unknown estimator',
      'exactly',
      /estimator is 'exactly'; use 'sampled', 'exact', 'gaussNewton', 'curvaturePropagation', 'empirical'/,
    ],
    ['an unknown key', { estimater: 'exact' }, /fisher\.estimater is not an option/],
    ['an unknown distribution', { distribution: 'poisson' }, /distribution is 'poisson'/],
    [
      'draws of an estimator that does not draw',
      { estimator: 'exact', draws: 2 },
      /draws has no effect on 'exact'/,
    ],
    [
      'draws of the empirical Fisher',
      { estimator: 'empirical', draws: 2 },
      /draws has no effect on 'empirical'/,
    ],
    ['draws that are no positive integer', { draws: 1.5 }, /draws is 1\.5/],
    [
      'a distribution for the empirical Fisher',
      { estimator: 'empirical', distribution: 'gaussian' },
      /fisher\.distribution has no effect/,
    ],
    ['a variance of another distribution', { distribution: 'bernoulli', variance: 1 }, /not 'gaussian'/],
    ['a variance that is not positive', { variance: 0 }, /variance is 0/],
    ['an output without its distribution', { output: 'logits' }, /without fisher\.distribution/],
    ['an output that no pattern is', { output: 5, distribution: 'gaussian' }, /fisher\.output holds 5/],
    ['null', null, /fisher is null/],
  ])('refuses %s', (_, option, message) => {
    expect(() => fisherSettings(option as FisherOption)).toThrow(message);
  });
});
