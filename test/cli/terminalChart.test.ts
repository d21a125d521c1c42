import { terminalChart } from '../../src/cli/terminalChart';

const line = { name: 'a', x: [0, 10], y: [0, 7] };
const plain = { columns: 40, colours: false };

describe('a chart in the terminal', () => {
  it('has ten lines and a title, no wider than the terminal', () => {
    const rows = terminalChart({ title: 'loss', xLabel: 'steps', series: [line] }, plain).split('\n');
    expect(rows).toHaveLength(11);
    expect(rows[0]).toBe('loss  a');
    expect(Math.max(...rows.map((row) => row.length))).toBeLessThan(40);
    expect(rows.at(-1)).toMatch(/^ {10}0 +10 steps$/);
  });

  it('draws a straight line from corner to corner, with the values of its rows beside it', () => {
    const rows = terminalChart({ title: '', xLabel: '', series: [line] }, plain)
      .split('\n')
      .slice(1, 9);
    expect(rows[0]).toMatch(/^ {7}7 ┤ +[⠀-⣿]+$/);
    expect(rows[7]).toMatch(/^ {7}0 ┤[⠀-⣿]+$/);
    // Each row lies to the left of the one above it.
    const begins = rows.map((row) => row.slice(10).search(/[⠁-⣿]/));
    expect([...begins].sort((a, b) => b - a)).toEqual(begins);
    expect(begins.at(-1)).toBe(0);
  });

  it('has powers of ten at equal distances on a logarithmic axis', () => {
    const series = [{ name: 'a', x: [0, 1, 2], y: [1e-7, 1e-3, 1] }];
    const text = terminalChart({ title: '', xLabel: '', series, logY: true }, plain);
    expect(text).toMatch(/^ {7}1 ┤/m);
    expect(text).toMatch(/^ {2}0\.0001 ┤/m);
    expect(text).toMatch(/^ {4}1e-7 ┤/m);
  });

  it('tells curves apart by colour, or gives each a chart on the same axes', () => {
    const chart = { title: 't', xLabel: 'x', series: [line, { name: 'b', x: [0, 20], y: [7, 14] }] };
    const coloured = terminalChart(chart, { columns: 40, colours: true });
    expect(coloured).toContain('\u001b[36ma\u001b[0m  \u001b[33mb\u001b[0m');
    expect(coloured.split('\n')).toHaveLength(11);
    const [first, second] = terminalChart(chart, plain).split('\n\n');
    expect(first).toMatch(/^t {2}a\n +14 ┤/);
    expect(second).toMatch(/^t {2}b\n +14 ┤/);
    expect(first).toContain('20 x');
  });

  it.each([
    ['nothing', { x: [], y: [] }],
    ['nothing finite', { x: [0, 1], y: [NaN, Infinity] }],
  ])('is empty for %s', (_, values) => {
    expect(terminalChart({ title: '', xLabel: '', series: [{ name: 'a', ...values }] }, plain)).toBe('');
  });

  it('draws a value that stays the same, and leaves out what is not finite', () => {
    const series = [{ name: 'a', x: [0, 1, 2], y: [3, NaN, 3] }];
    const text = terminalChart({ title: '', xLabel: '', series }, plain);
    expect(text).toMatch(/[⠁-⣿]{28,}/);
    expect(text).not.toContain('NaN');
  });
});
