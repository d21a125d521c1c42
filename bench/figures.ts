import { perRound, spread, type Measurement, type Spread } from './interleave';

/** What a figure should be at least or at most. */
export type Target = { atLeast: number } | { atMost: number };

export interface Figure extends Spread {
  unit: 's' | 'x' | '%' | '';
  target?: Target;
}

/** The figures of one case; keys are the headings of columns. */
export interface Row {
  case: string;
  figures: Record<string, Figure>;
}

export interface Section {
  title: string;
  rows: Row[];
}

export function time(measurement: Measurement): Figure {
  return { ...spread(measurement.rounds), unit: 's' };
}

/** How many times as long `other` takes as `ours`. */
export function speedUp(ours: Measurement, other: Measurement, target?: Target): Figure {
  return { ...perRound((a, b) => b / a, ours, other), unit: 'x', target };
}

/** The time of `ours` in units of the time of `other`. */
export function timeRatio(ours: Measurement, other: Measurement, target?: Target): Figure {
  return { ...perRound((a, b) => a / b, ours, other), unit: 'x', target };
}

/** A number that was not measured in rounds. */
export function fixed(value: number, target?: Target): Figure {
  return { median: value, low: value, high: value, unit: '', target };
}

export function reached({ median, target }: Figure): boolean {
  if (target === undefined) return true;
  return 'atLeast' in target ? median >= target.atLeast : median <= target.atMost;
}

/** A table with the median, the quartiles where it is a ratio, and a mark where a target is missed. */
export function formatSection({ title, rows }: Section): string {
  const columns = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  const table = [
    ['', ...columns],
    ...rows.map((row) => [row.case, ...columns.map((column) => format(row.figures[column]))]),
  ];
  const widths = table[0].map((_, column) => Math.max(...table.map((cells) => cells[column].length)));
  const lines = table.map((cells) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
  );
  return `${title}\n${lines.map((line) => `  ${line.trimEnd()}`).join('\n')}\n`;
}

/** One line per column that has a target: in how many cases it is reached, and the worst case. */
export function formatTargets(sections: Section[]): string {
  const lines = sections.flatMap(({ title, rows }) => {
    const columns = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
    return columns.flatMap((column) => {
      const judged = rows.filter(({ figures }) => figures[column]?.target !== undefined);
      if (judged.length === 0) return [];
      const missed = judged.filter(({ figures }) => !reached(figures[column]));
      const worst = judged.reduce((a, b) => (margin(b.figures[column]) < margin(a.figures[column]) ? b : a));
      const verdict =
        missed.length === 0 ? 'reached' : `MISSED in ${missed.length} of ${judged.length} cases`;
      const figure = worst.figures[column];
      const wanted = describeTarget(figure);
      return [`  ${title}, ${column} ${wanted}: ${verdict}; worst ${number(figure)} at ${worst.case}`];
    });
  });
  return lines.length === 0 ? '' : `targets\n${lines.join('\n')}\n`;
}

/** Above 1 where the target is reached, in the same scale for all. */
function margin({ median, target }: Figure): number {
  if (target === undefined) return Infinity;
  return 'atLeast' in target ? median / target.atLeast : target.atMost / median;
}

function describeTarget({ target, unit }: Figure): string {
  if (target === undefined) return '';
  const [sign, limit] = 'atLeast' in target ? ['>=', target.atLeast] : ['<=', target.atMost];
  return `${sign} ${unit === '%' ? `${100 * limit} %` : `${limit}${unit}`}`;
}

function format(figure: Figure | undefined): string {
  if (figure === undefined) return '';
  const { low, high, unit } = figure;
  const range = unit === 'x' ? ` (${low.toFixed(2)}-${high.toFixed(2)})` : '';
  const mark = figure.target === undefined ? '' : reached(figure) ? ' ok' : ' MISS';
  return number(figure) + range + mark;
}

function number({ median, unit }: Figure): string {
  switch (unit) {
    case 's':
      return duration(median);
    case 'x':
      return `${median.toFixed(2)}x`;
    case '%':
      return `${(100 * median).toFixed(0)} %`;
    default:
      return median.toPrecision(3);
  }
}

function duration(seconds: number): string {
  if (seconds < 1e-3) return `${(seconds * 1e6).toPrecision(3)} us`;
  return seconds < 1 ? `${(seconds * 1e3).toPrecision(3)} ms` : `${seconds.toPrecision(3)} s`;
}
