import type { Series } from './chart';

export interface TerminalChart {
  title: string;
  xLabel: string;
  series: Series[];
  /** Logarithmic y axis; default false. */
  logY?: boolean;
}

/** What the terminal can show. */
export interface TerminalSize {
  columns: number;
  colours: boolean;
}

const ROWS = 8;
const LABEL_WIDTH = 8;
/** Cyan, yellow, magenta, green, blue, red: readable on light and dark grounds. */
const palette = [36, 33, 35, 32, 34, 31];

/** Dots of a braille character by column and row, as Unicode numbers them (U+2800 and on). */
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
];

interface Cell {
  dots: number;
  series: number;
}

/**
 * A line chart of text, as wide as the terminal (at most 80 columns) and ten lines high: curves of braille dots. Several curves are told
 * apart by colour; without colours each has a chart of its own, on the same axes.
 */
export function terminalChart(chart: TerminalChart, { columns, colours }: TerminalSize): string {
  const drawable = chart.series.flatMap(({ x, y }) => points(x, y, chart.logY));
  if (drawable.length === 0) return '';
  const width = Math.max(10, Math.min(columns - 1, 80) - LABEL_WIDTH - 2);
  const [low, high] = range(drawable.map(([, y]) => y));
  const last = Math.max(...drawable.map(([x]) => x));
  const axes = { low, high, last, width };
  const groups = colours ? [chart.series] : chart.series.map((each) => [each]);
  return groups.map((series) => oneChart(chart, series, axes, colours)).join('\n\n');
}

interface Axes {
  low: number;
  high: number;
  /** Largest x; the smallest is 0. */
  last: number;
  width: number;
}

function oneChart(
  { title, xLabel, logY }: TerminalChart,
  series: Series[],
  axes: Axes,
  colours: boolean,
): string {
  const paint = (at: number, text: string) =>
    colours ? `\u001b[${palette[at % palette.length]}m${text}\u001b[0m` : text;
  const names = series.map(({ name }, i) => paint(i, name)).join('  ');
  const cells = draw(series, axes, logY);
  const labels = new Map(
    [0, (ROWS - 1) / 2, ROWS - 1].map((row) => [Math.round(row), axisLabel(Math.round(row), axes, logY)]),
  );
  const lines = cells.map((row, i) => {
    const label = (labels.get(i) ?? '').padStart(LABEL_WIDTH);
    return `${label} ${labels.has(i) ? '┤' : '│'}${rowText(row, paint)}`;
  });
  const end = `${Number(axes.last.toPrecision(3))} ${xLabel}`;
  const foot = `${' '.repeat(LABEL_WIDTH + 1)}└${'─'.repeat(axes.width)}\n${' '.repeat(LABEL_WIDTH + 2)}0${end.padStart(axes.width - 1)}`;
  return [`${title}  ${names}`, ...lines, foot].join('\n');
}

/** The characters of a row, with one change of colour for neighbours of one series. */
function rowText(row: Cell[], paint: (series: number, text: string) => string): string {
  const last = row.findLastIndex(({ dots }) => dots > 0);
  const runs: { series: number; text: string }[] = [];
  for (const { dots, series } of row.slice(0, last + 1)) {
    const text = dots === 0 ? ' ' : String.fromCharCode(0x2800 + dots);
    const run = runs.at(-1);
    if (run !== undefined && (dots === 0 || run.series === series)) run.text += text;
    else runs.push({ series, text });
  }
  return runs.map(({ series, text }) => (text.trim() === '' ? text : paint(series, text))).join('');
}

/** What can be drawn, with logarithms as y on a logarithmic axis. */
function points(x: ArrayLike<number>, y: ArrayLike<number>, logY = false): [number, number][] {
  return Array.from(x, (at, i): [number, number] => [at, logY ? Math.log10(y[i]) : y[i]]).filter((point) =>
    point.every(Number.isFinite),
  );
}

function draw(series: Series[], { low, high, last, width }: Axes, logY?: boolean): Cell[][] {
  const cells = Array.from({ length: ROWS }, () =>
    Array.from({ length: width }, (): Cell => ({ dots: 0, series: 0 })),
  );
  const [dotColumns, dotRows] = [2 * width, 4 * ROWS];
  const columnOf = (x: number) => Math.round((x / (last || 1)) * (dotColumns - 1));
  const rowOf = (y: number) => Math.round(((high - y) / (high - low)) * (dotRows - 1));
  series.forEach(({ x, y }, of) => {
    const dot = (column: number, row: number) => {
      const cell = cells[row >> 2][column >> 1];
      cell.dots |= DOTS[column & 1][row & 3];
      cell.series = of;
    };
    const drawn = points(x, y, logY).map(([at, value]): [number, number] => [columnOf(at), rowOf(value)]);
    drawn.forEach(([column, row], i) => {
      const [fromColumn, fromRow] = drawn[Math.max(0, i - 1)];
      const steps = Math.max(1, Math.abs(column - fromColumn), Math.abs(row - fromRow));
      for (let step = 0; step <= steps; step++) {
        const share = step / steps;
        dot(
          Math.round(fromColumn + share * (column - fromColumn)),
          Math.round(fromRow + share * (row - fromRow)),
        );
      }
    });
  });
  return cells;
}

function range(values: number[]): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

/** The value in the middle of a row. */
function axisLabel(row: number, { low, high }: Axes, logY?: boolean): string {
  const value = high - (row / (ROWS - 1)) * (high - low);
  return String(Number((logY ? 10 ** value : value).toPrecision(3)));
}
