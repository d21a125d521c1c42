import { createRequire } from 'node:module';

import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import type { LogFile, Row } from './logFile';

/** The part of tfjs-node that writes event files. */
interface TfjsNode {
  node: {
    summaryFileWriter: (folder: string) => {
      scalar: (name: string, value: number, step: number) => void;
      flush: () => void;
    };
  };
}

const requireModule = createRequire(__filename);

/**
 * Event files in a folder, for TensorBoard: a curve per column, over the steps. Text has no curve.
 *
 * @throws NatgradError ERR_NATGRAD_BACKEND unless @tensorflow/tfjs-node, which writes them, is the backend of tfjs
 */
export function tensorBoardLog(folder: string): LogFile {
  // tfjs-node refuses to write while another backend is active; loading it for this alone would change the backend of the whole program.
  if (tf.getBackend() !== 'tensorflow') {
    throw new NatgradError(
      'ERR_NATGRAD_BACKEND',
      `format 'tensorBoard' needs the backend of @tensorflow/tfjs-node, not '${tf.getBackend()}': install and require the package, or log as 'csv' or 'jsonLines'.`,
    );
  }
  const { node } = requireModule('@tensorflow/tfjs-node') as TfjsNode;
  const writer = node.summaryFileWriter(folder);
  return {
    write({ step, ...row }: Row) {
      for (const [name, value] of Object.entries(row)) {
        if (typeof value === 'number' && Number.isFinite(value)) writer.scalar(name, value, Number(step));
      }
      writer.flush();
    },
  };
}
