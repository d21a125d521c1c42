import { formatOf, logFile, type LogFile } from '../callbacks/logFile';
import { statisticsOf } from '../callbacks/statistics';
import { NatgradError } from '../errors';
import type { Watch } from './progress';

/**
 * Writes a row per step, as `statisticsLogger` does: loss of the batch and what the optimizer tells; and one per epoch with loss and accuracy on
 * the test examples as `val_loss` and `val_acc`.
 *
 * @param resume go on with the table that is in the file
 * @throws NatgradError ERR_NATGRAD_ARGUMENT if the name of the file tells no format; as `logFile`, in the first step
 */
export function trainingLog(file: string, resume: boolean): Watch {
  const format = formatOf(file);
  if (format === undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `the log '${file}' must end in .csv or .jsonl, which tells its format`,
    );
  }
  let log: LogFile | null = null;
  return {
    onStep({ step, epoch, loss, optimizer }) {
      const row = { step, epoch, loss, ...statisticsOf(optimizer) };
      const columns = [...Object.keys(row), 'val_loss', 'val_acc'];
      log ??= logFile(file, format, columns, resume ? step - 1 : undefined);
      log.write(row);
    },
    onEpoch({ step, epoch, result: { testLoss, testAccuracy } }) {
      log?.write({ step, epoch, val_loss: testLoss, val_acc: testAccuracy });
    },
  };
}
