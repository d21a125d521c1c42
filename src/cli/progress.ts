import { SingleBar } from 'cli-progress';

import { percent } from './table';
import type { EpochResult, StepProgress } from './train';

/** Shows how training goes on, or does nothing. */
export interface Progress {
  onStep: (progress: StepProgress) => void;
  onEpoch: (epoch: EpochResult) => void;
  stop: () => void;
}

/** A bar on stderr with loss, accuracy, milliseconds per step and the time that remains. */
export function progressBar(label: string): Progress {
  const bar = new SingleBar({
    format: `${label} {bar} {percentage} %  loss {loss}  accuracy {accuracy}  {pace} ms/step  {left} s left`,
    barsize: 24,
    hideCursor: true,
    fps: 5,
  });
  let smoothLoss = NaN;
  let accuracy = '–';
  return {
    onStep({ step, steps, loss, msPerStep }) {
      if (step === 1) bar.start(steps, 0, { loss: '–', accuracy, pace: '–', left: '–' });
      smoothLoss = Number.isNaN(smoothLoss) ? loss : 0.98 * smoothLoss + 0.02 * loss;
      const left = Math.ceil(((steps - step) * msPerStep) / 1000);
      bar.update(step, { loss: smoothLoss.toFixed(4), accuracy, pace: msPerStep.toFixed(2), left });
    },
    onEpoch({ testAccuracy }) {
      accuracy = percent(testAccuracy);
      bar.update({ accuracy });
    },
    stop: () => bar.stop(),
  };
}

export const silentProgress: Progress = { onStep: () => {}, onEpoch: () => {}, stop: () => {} };
