import type { Run } from './experiment';
import type { EpochResult } from './train';

/** The first epoch, counted from 1, after which the test accuracy was at least `target`. */
export function epochsToTarget(
  epochs: EpochResult[],
  target: number,
): { epochs: number; seconds: number } | null {
  const index = epochs.findIndex((epoch) => epoch.testAccuracy >= target);
  return index < 0 ? null : { epochs: index + 1, seconds: epochs[index].seconds };
}

/** Header and one row of text per run, for the terminal and for the report. */
export function resultTable(runs: Run[], target: number): string[][] {
  const goal = percent(target);
  const header = [
    'optimizer',
    'settings',
    'train loss',
    'test accuracy',
    `epochs to ${goal}`,
    `seconds to ${goal}`,
    'ms/step',
  ];
  const rows = runs.map((run) => {
    const last = run.epochs[run.epochs.length - 1];
    const reached = epochsToTarget(run.epochs, target);
    return [
      run.optimizer,
      settingsText(run),
      run.diverged ? 'diverged' : last.trainLoss.toPrecision(3),
      percent(last.testAccuracy),
      reached === null ? '–' : String(reached.epochs),
      reached === null ? '–' : reached.seconds.toFixed(1),
      run.msPerStep.toFixed(2),
    ];
  });
  return [header, ...rows];
}

/** Columns padded to their widest cell; the first two to the left, figures to the right. */
export function formatTable(rows: string[][]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const pad = (cell: string, column: number) =>
    column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

export function percent(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}

function settingsText({ settings }: Run): string {
  const names: Record<string, string> = {
    learningRate: 'lr',
    momentum: 'momentum',
    damping: 'damping',
    l2: 'l2',
  };
  return Object.entries(settings)
    .filter(([key, value]) => key !== 'l2' || value !== 0)
    .map(([key, value]) => `${names[key]} ${value}`)
    .join(', ');
}
