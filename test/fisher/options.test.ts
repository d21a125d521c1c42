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
    expect(() => fisherSettings({ distribution: own, estimator: 'exact' })).toThrow(/no factorColumns\(\)/);
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
    ['an unknown estimator', 'exactly', /estimator is 'exactly'; use 'sampled', 'exact', 'empirical'/],
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
