import * as fs from 'node:fs';
import * as os from 'node:os';

import * as tf from '@tensorflow/tfjs';

import { accelerate } from '../accelerate/index';
import { unitSphereData } from '../diagnostics/index';
import { NatgradError } from '../errors';
import { loadAddon } from '../linalg/loader';
import { selectBackend, type BackendName } from './backend';
import { loadDataset } from './dataset';
import { measureEtaLaw, measureMetrics } from './functionSpace';
import { functionSpaceCharts, functionSpaceTables, type Measurements } from './functionSpaceReport';
import { measureLosses } from './lossCurves';
import { htmlPage } from './page';
import { formatTable } from './table';
import { packageVersion } from './versions';
import type { TrainingData } from './wideTraining';

/** Options of `natgrad reproduce`, as commander delivers them. */
export interface ReproduceFlags {
  /** Widths of the hidden layers. */
  width: number[];
  examples: number;
  /** How many networks per width. */
  seeds: number;
  /** Of the comparison of losses. */
  steps: number;
  data: 'gaussian' | 'mnist';
  tfBackend?: BackendName;
  report?: string;
  json?: true;
}

/** Of the inputs that are drawn; images have their own. */
const gaussianSize = 64;
const etaLawRates = [0.25, 0.5];
const etaLawSteps = 5;

/** `natgrad reproduce function-space`: JSON is one object with all measurements. */
export async function reproduceFunctionSpace(flags: ReproduceFlags): Promise<void> {
  const backend = await selectBackend(flags.tfBackend);
  if (backend !== 'tensorflow' && loadAddon().addon !== undefined) accelerate({ backends: [backend] });
  const widths = [...new Set(flags.width)].sort((a, b) => a - b);
  const seeds = Array.from({ length: flags.seeds }, (_, i) => i + 1);
  const onData = <T>(seed: number, use: (data: TrainingData) => T): T => {
    const data =
      flags.data === 'mnist'
        ? zerosAndOnes(flags.examples)
        : unitSphereData(flags.examples, gaussianSize, seed);
    try {
      return use(data);
    } finally {
      tf.dispose([data.inputs, data.targets]);
    }
  };
  const widest = widths[widths.length - 1];
  const measurements: Measurements = {
    metrics: widths.flatMap((width) =>
      seeds.flatMap((seed) => onData(seed, (data) => measureMetrics(data, width, seed))),
    ),
    etaLaw: etaLawRates.flatMap((rate) =>
      seeds.map((seed) => onData(seed, (data) => measureEtaLaw(data, widest, seed, rate, etaLawSteps))),
    ),
    losses: seeds.flatMap((seed) => onData(seed, (data) => measureLosses(data, widest, seed, flags.steps))),
  };
  const tables = functionSpaceTables(measurements);
  if (flags.json === true) {
    process.stdout.write(
      `${JSON.stringify({ examples: flags.examples, data: flags.data, ...measurements })}\n`,
    );
  } else {
    const text = tables.map(({ caption, rows }) => `${caption}\n\n${formatTable(rows)}\n`);
    process.stdout.write(`${text.join('\n')}\n`);
  }
  if (flags.report === undefined) return;
  const page = htmlPage({
    title: 'Natural gradients in function space',
    charts: functionSpaceCharts(measurements),
    tables,
    note,
    facts: facts(flags, backend),
  });
  fs.writeFileSync(flags.report, page);
  if (flags.json !== true) process.stdout.write(`report: ${flags.report}\n`);
}

const note =
  'Metrics are those of the optimizers of this package, in float64 on gradients in float32, whose rounding and the damping that it needs ' +
  'keep deviations above 1e-7. truncatedTridiagonal is no optimizer, and gradient is plain gradient descent. Every step takes all examples.';

/** Labels and values of what the measurements are of, and of the machine and versions. */
function facts(flags: ReproduceFlags, backend: string): [string, string][] {
  const loaded = loadAddon();
  return [
    ['Command', ['natgrad', ...process.argv.slice(2)].join(' ')],
    ['Source', 'R. Karakida and K. Osawa, NeurIPS 2020'],
    ['Network', 'three layers in NTK parametrisation, ReLU, one output; half squared error'],
    [
      'Data',
      flags.data === 'mnist'
        ? `${flags.examples} zeros and ones of MNIST`
        : `${flags.examples} normal inputs of size ${gaussianSize} and norm 1`,
    ],
    ['Networks', `means over ${flags.seeds} per width`],
    ['Backend', backend],
    ['Linear algebra', loaded.addon === undefined ? 'reference (no addon)' : loaded.addon.info().blas],
    [
      'Versions',
      ['natgrad', '@tensorflow/tfjs']
        .map((name) => `${name} ${packageVersion(name) ?? 'unknown'}`)
        .join(', '),
    ],
    ['Machine', `${os.cpus()[0]?.model ?? 'unknown processor'}, ${os.availableParallelism()} processors`],
    ['Date', new Date().toISOString().slice(0, 10)],
  ];
}

/** The first zeros and ones of MNIST as the paper takes them: standardised over all pixels, then each image of norm 1; targets +-0.5. */
function zerosAndOnes(examples: number): TrainingData {
  const { train, height, width } = loadDataset('mnist');
  const size = height * width;
  const chosen = Array.from({ length: train.count }, (_, i) => i)
    .filter((i) => train.labels[i] <= 1)
    .slice(0, examples);
  if (chosen.length < examples) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `MNIST has ${chosen.length} zeros and ones; give --examples up to that.`,
    );
  }
  const pixels = Float32Array.from(
    chosen.flatMap((i) => [...train.images.subarray(i * size, (i + 1) * size)]),
  );
  return tf.tidy(() => {
    const images = tf.tensor2d(pixels, [examples, size]);
    const { mean, variance } = tf.moments(images);
    const standard = images.sub(mean).div(variance.sqrt());
    const targets = chosen.map((i) => [train.labels[i] === 0 ? -0.5 : 0.5]);
    return {
      inputs: standard.div<tf.Tensor2D>(standard.norm('euclidean', 1, true)),
      targets: tf.tensor2d(targets),
    };
  });
}
