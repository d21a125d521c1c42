import { escapeMarkup, lineChart, type Chart } from '../../src/cli/chart';

const chart = (extra: Partial<Chart> = {}): string =>
  lineChart({
    title: 'Loss',
    xLabel: 'steps',
    yLabel: 'loss',
    series: [{ name: 'kfac', x: [0, 5, 10], y: [1, 0.1, 0.01] }],
    ...extra,
  });

/** Points of all polylines, in order. */
const polylines = (svg: string): number[][][] =>
  [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points]) =>
    points.split(' ').map((point) => point.split(',').map(Number)),
  );

const tickLabels = (svg: string, anchor: string): string[] =>
  [...svg.matchAll(new RegExp(`text-anchor="${anchor}">([^<]*)</text>`, 'g'))].map(([, label]) => label);

describe('a line chart', () => {
  it('is well-formed markup that loads nothing', () => {
    const svg = chart({ reference: { y: 0.5, label: 'goal' }, dots: true });
    // Every tag is closed: walking over the tags with a stack ends with an empty one.
    const open: string[] = [];
    for (const [, closing, name, selfClosing] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (closing) expect(open.pop()).toBe(name);
      else if (!selfClosing) open.push(name);
    }
    expect(open).toEqual([]);
    expect(svg).not.toMatch(/href|src=|<script|url\(/);
  });

  it('places values that are powers of ten at equal distances on a logarithmic axis', () => {
    const [[first, second, third]] = polylines(chart({ logY: true }));
    expect(second[1] - first[1]).toBeCloseTo(third[1] - second[1], 0);
    expect(second[1]).toBeGreaterThan(first[1]);
  });

  it('places equal steps at equal distances on a linear axis, larger values higher up', () => {
    const series = [{ name: 'a', x: [0, 1, 2], y: [0, 5, 10] }];
    const [[first, second, third]] = polylines(chart({ series }));
    expect(second[1] - first[1]).toBeCloseTo(third[1] - second[1], 0);
    expect(third[1]).toBeLessThan(first[1]);
    expect(second[0] - first[0]).toBeCloseTo(third[0] - second[0], 0);
  });

  it('labels its axes with round numbers that enclose the values', () => {
    const series = [{ name: 'a', x: [0, 83], y: [91.3, 97.8] }];
    const svg = chart({ series });
    expect(tickLabels(svg, 'end').map(Number)).toEqual([90, 92, 94, 96, 98]);
    expect(tickLabels(svg, 'middle').filter((label) => /\d/.test(label))).toEqual([
      '0',
      '20',
      '40',
      '60',
      '80',
      '100',
    ]);
  });

  it('interrupts a line where a value cannot be drawn', () => {
    const gap = [{ name: 'a', x: [0, 1, 2, 3, 4], y: [1, 2, NaN, 2, 1] }];
    expect(polylines(chart({ series: gap })).map((line) => line.length)).toEqual([2, 2]);
    const zero = [{ name: 'a', x: [0, 1, 2, 3], y: [1, 0.5, 0, 0.5] }];
    expect(polylines(chart({ series: zero, logY: true })).map((line) => line.length)).toEqual([2, 1]);
    expect(polylines(chart({ series: zero })).map((line) => line.length)).toEqual([4]);
  });

  it.each([
    ['no points', [], []],
    ['one point', [3], [7]],
    ['a constant', [0, 1], [0, 0]],
    ['nothing finite', [0, 1], [NaN, Infinity]],
  ])('draws only finite coordinates for %s', (_, x, y) => {
    for (const logY of [false, true]) {
      expect(chart({ series: [{ name: 'a', x, y }], logY })).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  it('keeps every point inside the drawing', () => {
    const y = Array.from({ length: 50 }, (_, i) => Math.exp(3 * Math.sin(i)));
    const svg = chart({ series: [{ name: 'a', x: y.map((_, i) => i), y }], logY: true });
    for (const [px, py] of polylines(svg)[0]) {
      expect(px).toBeGreaterThanOrEqual(0);
      expect(px).toBeLessThanOrEqual(560);
      expect(py).toBeGreaterThanOrEqual(0);
      expect(py).toBeLessThanOrEqual(340);
    }
  });

  it('names every series in the legend, in different colours', () => {
    const svg = chart({
      series: [
        { name: 'sgd', x: [0, 1], y: [1, 2] },
        { name: 'kfac', x: [0, 1], y: [1, 2] },
      ],
    });
    expect(svg).toContain('>sgd</text>');
    expect(svg).toContain('>kfac</text>');
    const colours = [...svg.matchAll(/<g stroke="([^"]+)"/g)].map(([, colour]) => colour);
    expect(new Set(colours).size).toBe(2);
  });

  it('gives a long legend more rows and makes room for them', () => {
    const names = ['exact', 'blockDiagonal', 'blockTridiagonal', 'unitWise', 'diagonalFisher', 'gradient'];
    const svg = chart({ series: names.map((name) => ({ name, x: [0, 1], y: [1, 2] })) });
    const marks = [...svg.matchAll(/<rect x="([\d.]+)" y="(\d+)"/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ]);
    expect(marks).toHaveLength(names.length);
    // The widest character of the font takes less than 7.6 of its 12 units.
    marks.forEach(([x], i) => expect(x + 20 + 7.6 * names[i].length).toBeLessThanOrEqual(560));
    const rows = new Set(marks.map(([, y]) => y)).size;
    expect(rows).toBe(2);
    expect(svg).toContain('viewBox="0 0 560 358"');
    expect(svg).toContain('<g transform="translate(0 18)">');
    expect(chart()).toContain('viewBox="0 0 560 340"');
  });

  it('escapes text', () => {
    expect(escapeMarkup('a < b & "c" > d')).toBe('a &lt; b &amp; &quot;c&quot; &gt; d');
    expect(chart({ title: '<script>' })).not.toContain('<script>');
  });
});
