/** One line of a chart. */
export interface Series {
  name: string;
  x: ArrayLike<number>;
  /** As long as x. A value that is not finite, or not positive on a logarithmic axis, interrupts the line. */
  y: ArrayLike<number>;
}

export interface Chart {
  title: string;
  xLabel: string;
  yLabel: string;
  series: Series[];
  /** Logarithmic y axis; default false. */
  logY?: boolean;
  /** Dots at the points; default false. */
  dots?: boolean;
  /** A dashed horizontal line. */
  reference?: { y: number; label: string };
}

interface Axis {
  /** Position in pixels of a value. */
  place: (value: number) => number;
  ticks: number[];
}

const width = 560;
const height = 340;
const frame = { left: 62, right: width - 16, top: 62, bottom: height - 48 };

/** Colours of middle lightness, which can be told apart on white and on black, also by most colour-blind readers. */
const colours = ['#4c8df5', '#e8790c', '#2f9e6e', '#c25bd6', '#d9485f', '#8b8f1a', '#14a3b8', '#8a7466'];

/**
 * A line chart as a self-contained SVG element, 560 x 340 units and 18 more per further row of the legend, with axes and grid. Text takes the colour of its surroundings.
 */
export function lineChart(chart: Chart): string {
  const points = chart.series.map(({ x, y }) => Array.from(x, (value, i): [number, number] => [value, y[i]]));
  const drawable = ([x, y]: [number, number]) =>
    Number.isFinite(x) && Number.isFinite(y) && (chart.logY !== true || y > 0);
  const shown = points.flat().filter(drawable);
  const heights = shown.map(([, y]) => y);
  if (chart.reference !== undefined) heights.push(chart.reference.y);
  const x = linearAxis([0, ...shown.map((point) => point[0])], frame.left, frame.right, 6);
  const y = (chart.logY === true ? logAxis : linearAxis)(heights, frame.bottom, frame.top, 5);

  const lines = points.map((line, i) => {
    const colour = colours[i % colours.length];
    const place = (point: [number, number]) =>
      `${coordinate(x.place(point[0]))},${coordinate(y.place(point[1]))}`;
    const strokes = runs(line, drawable).map((run) => `<polyline points="${run.map(place).join(' ')}"/>`);
    const dots =
      chart.dots === true
        ? line.filter(drawable).map((point) => circle(x.place(point[0]), y.place(point[1])))
        : [];
    return `<g stroke="${colour}" fill="none" stroke-width="2" stroke-linejoin="round">${strokes.join('')}</g><g fill="${colour}">${dots.join('')}</g>`;
  });
  const names = legend(chart.series.map(({ name }) => name));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height + names.extraHeight}" role="img" aria-label="${escapeMarkup(chart.title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">`,
    `<text x="${frame.left}" y="20" font-size="15" font-weight="600">${escapeMarkup(chart.title)}</text>`,
    names.markup,
    `<g transform="translate(0 ${names.extraHeight})">`,
    xAxis(x, chart.xLabel),
    yAxis(y, chart.yLabel),
    chart.reference === undefined ? '' : referenceLine(y.place(chart.reference.y), chart.reference.label),
    ...lines,
    '</g>',
    '</svg>',
  ].join('\n');
}

/** Ticks at multiples of 1, 2 or 5 times a power of ten, about `count` of them, and an axis that ends on ticks. */
function linearAxis(values: number[], from: number, to: number, count: number): Axis {
  const [low, high] = bounds(values, 0, 1);
  const raw = (high - low || Math.abs(high) || 1) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5].find((digit) => digit * power >= raw) ?? 10) * power;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
  const scale = (to - from) / ((last - first) * step);
  return { place: (value) => from + (value - first * step) * scale, ticks };
}

/** Ticks at powers of ten; also at 2 and 5 times them if the axis is short. */
function logAxis(values: number[], from: number, to: number): Axis {
  const [low, high] = bounds(values, 0.1, 1);
  const decades = Math.log10(high / low);
  const digits = decades > 3 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const digit of digits) ticks.push(Number((digit * 10 ** power).toPrecision(3)));
  }
  const first = Math.max(
    0,
    ticks.findLastIndex((tick) => tick <= low),
  );
  const last = ticks.findIndex((tick, i) => tick >= high && i > first);
  const kept = ticks.slice(first, last + 1);
  const scale = (to - from) / Math.log(kept[kept.length - 1] / kept[0]);
  return { place: (value) => from + Math.log(value / kept[0]) * scale, ticks: kept };
}

function bounds(values: number[], emptyLow: number, emptyHigh: number): [number, number] {
  if (values.length === 0) return [emptyLow, emptyHigh];
  return values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
}

/** Maximal stretches of consecutive points that satisfy `keep`. */
function runs<T>(points: T[], keep: (point: T) => boolean): T[][] {
  const found: T[][] = [[]];
  for (const point of points) {
    if (keep(point)) found[found.length - 1].push(point);
    else found.push([]);
  }
  return found.filter((run) => run.length > 0);
}

/** The names beside their colours, in as many rows as they need; the first has its place in the frame. */
function legend(names: string[]): { markup: string; extraHeight: number } {
  const rowHeight = 18;
  let [left, row] = [frame.left, 0];
  const entries = names.map((name, i) => {
    const length = 40 + 7.6 * name.length;
    if (left > frame.left && left + length > width) [left, row] = [frame.left, row + 1];
    const [x, y] = [left, 36 + row * rowHeight];
    left += length;
    return `<rect x="${coordinate(x)}" y="${y}" width="14" height="4" rx="2" fill="${colours[i % colours.length]}"/><text x="${coordinate(x + 20)}" y="${y + 6}">${escapeMarkup(name)}</text>`;
  });
  return { markup: entries.join(''), extraHeight: row * rowHeight };
}

function xAxis(axis: Axis, label: string): string {
  const marks = axis.ticks.map((tick) => {
    const at = coordinate(axis.place(tick));
    return `<path d="M${at} ${frame.top}V${frame.bottom}" stroke="currentColor" stroke-opacity="0.1"/><text x="${at}" y="${frame.bottom + 18}" text-anchor="middle">${tickLabel(tick)}</text>`;
  });
  const middle = (frame.left + frame.right) / 2;
  return `${marks.join('')}<text x="${middle}" y="${height - 8}" text-anchor="middle" opacity="0.75">${escapeMarkup(label)}</text>`;
}

function yAxis(axis: Axis, label: string): string {
  const marks = axis.ticks.map((tick) => {
    const at = coordinate(axis.place(tick));
    return `<path d="M${frame.left} ${at}H${frame.right}" stroke="currentColor" stroke-opacity="0.1"/><text x="${frame.left - 8}" y="${at}" dy="4" text-anchor="end">${tickLabel(tick)}</text>`;
  });
  const middle = (frame.top + frame.bottom) / 2;
  return `${marks.join('')}<text transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle" opacity="0.75">${escapeMarkup(label)}</text>`;
}

function referenceLine(at: number, label: string): string {
  return `<path d="M${frame.left} ${coordinate(at)}H${frame.right}" stroke="currentColor" stroke-opacity="0.6" stroke-dasharray="5 4"/><text x="${frame.left + 5}" y="${coordinate(at - 5)}" font-size="11" opacity="0.75">${escapeMarkup(label)}</text>`;
}

function circle(x: number, y: number): string {
  return `<circle cx="${coordinate(x)}" cy="${coordinate(y)}" r="3"/>`;
}

function coordinate(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function tickLabel(value: number): string {
  const size = Math.abs(value);
  if (size >= 10000) return `${Number((value / 1000).toPrecision(4))}k`;
  return size > 0 && size < 0.001 ? value.toExponential(0) : String(value);
}

/** Text made safe for use between tags and in quoted attributes. */
export function escapeMarkup(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => entities[character]);
}
