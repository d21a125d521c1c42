import { escapeMarkup, lineChart, type Series } from './chart';
import type { Run } from './experiment';
import { resultTable } from './table';

export interface ReportFacts {
  title: string;
  /** Label and value of what the runs share, and of the machine and versions. */
  facts: [string, string][];
  /** Accuracy of the dashed line, 0 to 1. */
  target: number;
}

/**
 * A comparison of runs as one HTML file that loads nothing: curves of loss and accuracy against steps and seconds, and a table.
 */
export function htmlReport(runs: Run[], { title, facts, target }: ReportFacts): string {
  const steps = runs.map((run) => binned(run.optimizer, indices(run.stepLosses.length), run.stepLosses));
  const seconds = runs.map((run) => binned(run.optimizer, run.stepSeconds, run.stepLosses));
  const accuracy = (x: (run: Run) => number[]): Series[] =>
    runs.map((run) => ({
      name: run.optimizer,
      x: x(run),
      y: run.epochs.map((epoch) => 100 * epoch.testAccuracy),
    }));
  const reference = { y: 100 * target, label: `${Number((100 * target).toFixed(2))} %` };
  const byEpoch = accuracy((run) => run.epochs.map((_, i) => i + 1));
  const bySecond = accuracy((run) => run.epochs.map((epoch) => epoch.seconds));
  const loss = { yLabel: 'training loss', logY: true };
  const test = { yLabel: 'test accuracy, %', dots: true, reference };
  const charts = [
    lineChart({ title: 'Loss by steps', xLabel: 'steps', series: steps, ...loss }),
    lineChart({ title: 'Loss by time', xLabel: 'seconds of training', series: seconds, ...loss }),
    lineChart({ title: 'Accuracy by epochs', xLabel: 'epochs', series: byEpoch, ...test }),
    lineChart({ title: 'Accuracy by time', xLabel: 'seconds of training', series: bySecond, ...test }),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeMarkup(title)}</h1>
<div class="charts">
${charts.map((chart) => `<figure>${chart}</figure>`).join('\n')}
</div>
${htmlTable(resultTable(runs, target))}
<p class="note">Losses are means over stretches of steps, each taken before its step. Time is that of training alone, without evaluation.</p>
<dl>
${facts.map(([label, value]) => `<dt>${escapeMarkup(label)}</dt><dd>${escapeMarkup(value)}</dd>`).join('\n')}
</dl>
</body>
</html>
`;
}

const style = `
:root { color-scheme: light dark; --back: #ffffff; --text: #1d2430; --line: #dfe3ea; --soft: #f6f7f9; }
@media (prefers-color-scheme: dark) { :root { --back: #14171c; --text: #e4e8ee; --line: #313843; --soft: #1b2027; } }
body { margin: 0 auto; padding: 2rem 1.5rem 3rem; max-width: 1180px; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 1.25rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 1rem; }
figure { margin: 0; padding: .75rem; border: 1px solid var(--line); border-radius: 10px; background: var(--soft); }
svg { display: block; width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { width: 100%; margin: 1.5rem 0 .5rem; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: 600; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
.note { margin: 0 0 1.5rem; font-size: .875rem; opacity: .75; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 0; font-size: .875rem; }
dt { opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
`;

function htmlTable([header, ...rows]: string[][]): string {
  const cells = (tag: string, row: string[]) =>
    row.map((cell) => `<${tag}>${escapeMarkup(cell)}</${tag}>`).join('');
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n');
  return `<div class="scroll"><table>\n<thead><tr>${cells('th', header)}</tr></thead>\n<tbody>\n${body}\n</tbody></table></div>`;
}

function indices(count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => i + 1);
}

/** Means of consecutive points, at most 80 of them: the loss of single batches is mostly noise. */
export function binned(name: string, x: Float64Array, y: Float64Array): Series {
  const size = Math.max(1, Math.ceil(x.length / 80));
  const bins = Array.from({ length: Math.ceil(x.length / size) }, (_, i) => i * size);
  const means = (values: Float64Array) =>
    bins.map((begin) => {
      const bin = values.subarray(begin, begin + size);
      return bin.reduce((sum, value) => sum + value, 0) / bin.length;
    });
  return { name, x: means(x), y: means(y) };
}
