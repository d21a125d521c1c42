import {
  fixed,
  formatSection,
  formatTargets,
  reached,
  speedUp,
  timeRatio,
  type Section,
} from '../../bench/figures';

const ours = { name: 'ours', rounds: [1, 2, 4] };
const other = { name: 'other', rounds: [2, 6, 16] };

describe('figures', () => {
  it('a speed-up is how many times as long the other takes, a time ratio its inverse', () => {
    expect(speedUp(ours, other)).toMatchObject({ median: 3, low: 2.5, high: 3.5, unit: 'x' });
    expect(timeRatio(ours, other)).toMatchObject({ median: 1 / 3, unit: 'x' });
  });

  it('a target is judged by the median', () => {
    expect(reached(speedUp(ours, other, { atLeast: 3 }))).toBe(true);
    expect(reached(speedUp(ours, other, { atLeast: 3.1 }))).toBe(false);
    expect(reached(timeRatio(ours, other, { atMost: 0.3 }))).toBe(false);
    expect(reached(fixed(NaN, { atMost: 30 }))).toBe(false);
  });

  it('misses are marked in the table and named, with the worst case, in the summary', () => {
    const sections: Section[] = [
      {
        title: 'inverse',
        rows: [
          { case: 'n 8', figures: { ratio: speedUp(ours, other, { atLeast: 2 }) } },
          { case: 'n 16', figures: { ratio: speedUp(ours, other, { atLeast: 4 }), error: fixed(0.5) } },
        ],
      },
    ];
    expect(formatSection(sections[0]).split('\n')).toEqual([
      'inverse',
      '                         ratio  error',
      '  n 8     3.00x (2.50-3.50) ok',
      '  n 16  3.00x (2.50-3.50) MISS  0.500',
      '',
    ]);
    expect(formatTargets(sections)).toBe(
      'targets\n  inverse, ratio >= 4x: MISSED in 1 of 2 cases; worst 3.00x at n 16\n',
    );
  });
});
