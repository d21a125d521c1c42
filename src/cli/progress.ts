import { progressDisplay } from '../callbacks/progressDisplay';
import { statisticsOf } from '../callbacks/statistics';
import { percent } from './table';
import type { TrainingOptions } from './train';

/** What looks on while training goes on. */
export type Watch = Required<Pick<TrainingOptions, 'onStep' | 'onEpoch'>>;

/** Shows how training goes on, or does nothing. */
export interface Progress extends Watch {
  stop: () => void;
}

/** On stderr loss (a moving average), accuracy, damping, milliseconds per step and the time that remains: a bar, or a line per epoch. */
export function shownProgress(label: string): Progress {
  const display = progressDisplay(process.stderr, label);
  let accuracy = '–';
  let smoothLoss = NaN;
  let [firstStep, lastStep, begun] = [0, Infinity, 0];
  return {
    onStep({ step, steps, loss, msPerStep, optimizer }) {
      // Of several trainings each begins anew, and one that is resumed does not begin with the first step.
      if (step <= lastStep) [firstStep, begun, smoothLoss] = [step, performance.now(), loss];
      lastStep = step;
      smoothLoss = 0.98 * smoothLoss + 0.02 * loss;
      const { damping } = statisticsOf(optimizer);
      display.show({
        step: step - firstStep + 1,
        steps: steps - firstStep + 1,
        values: {
          loss: smoothLoss.toFixed(4),
          accuracy,
          ...(typeof damping === 'number' ? { damping: String(Number(damping.toPrecision(3))) } : {}),
          'ms/step': msPerStep.toFixed(2),
        },
        seconds: (performance.now() - begun) / 1000,
      });
    },
    onEpoch({ epoch, epochs, result: { trainLoss, testAccuracy } }) {
      accuracy = percent(testAccuracy);
      const values = { loss: trainLoss.toFixed(4), accuracy };
      display.finishEpoch(`epoch ${epoch + 1}/${epochs}`, values);
    },
    stop: () => display.stop(),
  };
}

export const silentProgress: Progress = { onStep: () => {}, onEpoch: () => {}, stop: () => {} };
