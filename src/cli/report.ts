import { lineChart, type Series } from './chart';
import type { Run } from './experiment';
import { htmlPage } from './page';
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
  const { lossBySteps, lossBySeconds, accuracyByEpochs, accuracyBySeconds } = curves(runs);
  const reference = { y: 100 * target, label: `${Number((100 * target).toFixed(2))} %` };
  const loss = { yLabel: 'training loss', logY: true };
  const test = { yLabel: 'test accuracy, %', dots: true, reference };
  const charts = [
    lineChart({ title: 'Loss by steps', xLabel: 'steps', series: lossBySteps, ...loss }),
    lineChart({ title: 'Loss by time', xLabel: 'seconds of training', series: lossBySeconds, ...loss }),
    lineChart({ title: 'Accuracy by epochs', xLabel: 'epochs', series: accuracyByEpochs, ...test }),
    lineChart({
      title: 'Accuracy by time',
      xLabel: 'seconds of training',
      series: accuracyBySeconds,
      ...test,
    }),
  ];
  return htmlPage({
    title,
    charts,
    tables: [{ rows: resultTable(runs, target) }],
    note: 'Losses are means over stretches of steps, each taken before its step. Time is that of training alone, without evaluation.',
    facts,
  });
}

/** The curves of runs: losses as means over stretches of steps, accuracies in percent. */
export function curves(runs: Run[]): Record<Curve, Series[]> {
  const accuracy = (x: (run: Run) => number[]): Series[] =>
    runs.map((run) => ({
      name: run.optimizer,
      x: x(run),
      y: run.epochs.map((epoch) => 100 * epoch.testAccuracy),
    }));
  return {
    lossBySteps: runs.map((run) => binned(run.optimizer, indices(run.stepLosses.length), run.stepLosses)),
    lossBySeconds: runs.map((run) => binned(run.optimizer, run.stepSeconds, run.stepLosses)),
    accuracyByEpochs: accuracy((run) => run.epochs.map((_, i) => i + 1)),
    accuracyBySeconds: accuracy((run) => run.epochs.map((epoch) => epoch.seconds)),
  };
}

type Curve = 'lossBySteps' | 'lossBySeconds' | 'accuracyByEpochs' | 'accuracyBySeconds';

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
