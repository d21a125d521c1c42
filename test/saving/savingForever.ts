// Saves a model over and over, for the test that kills it. The weights of save k, and the metadata, are all k, and k is printed once it is
// saved. Argument: the folder.
import * as tf from '@tensorflow/tfjs';

import { saveModel } from '../../src';

async function main(folder: string): Promise<void> {
  tf.enableProdMode(); // Else tfjs advertises tfjs-node.
  await tf.setBackend('cpu');
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 300, inputShape: [300] })] });
  for (let k = 1; ; k++) {
    const weights = model.getWeights().map(({ shape }) => tf.fill(shape, k));
    model.setWeights(weights);
    tf.dispose(weights);
    await saveModel(model, folder, { includeOptimizer: false, metadata: { k } });
    process.stdout.write(`${k}\n`);
  }
}

void main(process.argv[2]);
