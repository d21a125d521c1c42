import * as tf from '@tensorflow/tfjs';

import { loadDataset, type Dataset } from '../../src/cli/dataset';
import { createModel, type ModelName } from '../../src/cli/models';
import { asynchronous, type Competitor } from '../interleave';

export const batchSize = 50;

/** Steps in one burst; two refreshes of the inverses fall into it. */
export const blockSteps = 20;

export interface Batch {
  images: tf.Tensor4D;
  labels: tf.Tensor2D;
}

/** The first examples of MNIST, as batches that lie ready. */
export class Data {
  readonly dataset: Dataset;
  readonly batches: Batch[];

  constructor(batches: number) {
    this.dataset = loadDataset('mnist', batches * batchSize);
    const { train, height, width, classes } = this.dataset;
    const pixels = height * width;
    this.batches = Array.from({ length: batches }, (_, i) => {
      const bytes = train.images.subarray(i * batchSize * pixels, (i + 1) * batchSize * pixels);
      const labels = train.labels.subarray(i * batchSize, (i + 1) * batchSize);
      return {
        images: tf.tensor4d(
          Float32Array.from(bytes, (byte) => byte / 255),
          [batchSize, height, width, 1],
        ),
        labels: tf.oneHot(tf.tensor1d(labels, 'int32'), classes).toFloat() as tf.Tensor2D,
      };
    });
  }

  dispose(): void {
    for (const { images, labels } of this.batches) tf.dispose([images, labels]);
  }
}

/** A model of its own for one optimizer, with the same initial weights as all others. */
export class Trainee {
  readonly model: tf.LayersModel;
  private next = 0;

  constructor(
    readonly name: string,
    readonly optimizer: tf.Optimizer,
    model: ModelName,
    private readonly data: Data,
  ) {
    this.model = createModel(model, data.dataset, 1);
    this.model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  }

  /** The next so many steps, the batches taken in turn. */
  async train(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const { images, labels } = this.data.batches[this.next++ % this.data.batches.length];
      await this.model.trainOnBatch(images, labels);
    }
  }

  competitor(): Competitor {
    return asynchronous(this.name, blockSteps, () => this.train(blockSteps));
  }

  dispose(): void {
    this.model.dispose();
    this.optimizer.dispose();
  }
}
