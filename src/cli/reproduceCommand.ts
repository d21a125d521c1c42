import * as fs from 'node:fs';
import * as os from 'node:os';

import * as tf from '@tensorflow/tfjs';

import { accelerate } from '../accelerate/index';
import { unitSphereData } from '../diagnostics/index';
import { NatgradError } from '../errors';
import { loadAddon } from '../linalg/loader';
import { selectBackend, type BackendName } from './backend';
import { lineChart, type Series } from './chart';
import { loadDataset } from './dataset';
import {
  measureEtaLaw,
  measureMetrics,
  metricNames,
  type EtaLaw,
  type MetricResult,
  type TrainingData,
} from './functionSpace';
import { htmlPage } from './page';
import { formatTable } from './table';
import { packageVersion } from './versions';

/** Options of `natgrad reproduce`, as commander delivers them. */
export interface ReproduceFlags {
  /** Widths of the hidden layers. */
  width: number[];
  examples: number;
  /** How many networks per width. */
  seeds: number;
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
  const results = widths.flatMap((width) =>
    seeds.flatMap((seed) => onData(seed, (data) => measureMetrics(data, width, seed))),
  );
  const laws = etaLawRates.flatMap((rate) =>
    seeds.map((seed) => onData(seed, (data) => measureEtaLaw(data, widest, seed, rate, etaLawSteps))),
  );
  if (flags.json === true) {
    process.stdout.write(
      `${JSON.stringify({ examples: flags.examples, data: flags.data, metrics: results, etaLaw: laws })}\n`,
    );
  } else {
    const text = tables(results, laws, widths).map(
      ({ caption, rows }) => `${caption}\n\n${formatTable(rows)}\n`,
    );
    process.stdout.write(`${text.join('\n')}\n`);
  }
  if (flags.report === undefined) return;
  fs.writeFileSync(flags.report, report(results, laws, widths, flags, backend));
  if (flags.json !== true) process.stdout.write(`report: ${flags.report}\n`);
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

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function averaged(
  results: MetricResult[],
  metric: string,
  width: number,
  value: 'alpha' | 'deviation' | 'learningRate' | 'residual',
): number {
  return mean(
    results
      .filter((result) => result.metric === metric && result.width === width)
      .map((result) => result[value]),
  );
}

function tables(
  results: MetricResult[],
  laws: EtaLaw[],
  widths: number[],
): { caption: string; rows: string[][] }[] {
  const widest = widths[widths.length - 1];
  const columns = widths.map((width) => `M = ${width}`);
  const perMetric = (value: 'deviation' | 'residual', show: (value: number) => string) =>
    metricNames.map((metric) => [
      metric,
      averaged(results, metric, widest, value === 'deviation' ? 'alpha' : 'learningRate').toPrecision(4),
      ...widths.map((width) => show(averaged(results, metric, width, value))),
    ]);
  const times = Array.from({ length: etaLawSteps }, (_, t) => t + 1);
  return [
    {
      caption: `Deviation from isotropy in function space, |K - alpha I| / |alpha I| (alpha at M = ${widest})`,
      rows: [['metric', 'alpha', ...columns], ...perMetric('deviation', (value) => value.toExponential(1))],
    },
    {
      caption: `What is left of the residual after one step, |f_1 - y| / |f_0 - y| (learning rate at M = ${widest})`,
      rows: [['metric', 'learning rate', ...columns], ...perMetric('residual', (value) => value.toFixed(3))],
    },
    {
      caption: `Residual after t steps with the exact Fisher matrix at M = ${widest}, beside (1 - learning rate)^t`,
      rows: [
        ['learning rate', '', ...times.map((t) => `t = ${t}`)],
        ...etaLawRates.flatMap((rate) => [
          [String(rate), 'measured', ...etaLawMean(laws, rate).map((value) => value.toFixed(4))],
          ['', 'theory', ...times.map((t) => ((1 - rate) ** t).toFixed(4))],
        ]),
      ],
    },
  ];
}

function etaLawMean(laws: EtaLaw[], rate: number): number[] {
  const runs = laws.filter(({ learningRate }) => learningRate === rate);
  return Array.from({ length: etaLawSteps }, (_, t) => mean(runs.map(({ residuals }) => residuals[t])));
}

function report(
  results: MetricResult[],
  laws: EtaLaw[],
  widths: number[],
  flags: ReproduceFlags,
  backend: string,
): string {
  const byWidth = (value: 'deviation' | 'residual'): Series[] =>
    metricNames.map((metric) => ({
      name: metric,
      x: widths,
      y: widths.map((width) => averaged(results, metric, width, value)),
    }));
  const times = Array.from({ length: etaLawSteps + 1 }, (_, t) => t);
  const law = etaLawRates.flatMap((rate): Series[] => [
    { name: `measured, ${rate}`, x: times, y: [1, ...etaLawMean(laws, rate)] },
    { name: `(1 - ${rate})^t`, x: times, y: times.map((t) => (1 - rate) ** t) },
  ]);
  const common = { xLabel: 'width M of the hidden layers', logY: true, dots: true };
  const loaded = loadAddon();
  return htmlPage({
    title: 'Natural gradients in function space',
    charts: [
      lineChart({
        title: 'Deviation from isotropy',
        yLabel: '|K - alpha I| / |alpha I|',
        series: byWidth('deviation'),
        ...common,
      }),
      lineChart({
        title: 'One step',
        yLabel: '|f_1 - y| / |f_0 - y|',
        series: byWidth('residual'),
        ...common,
      }),
      lineChart({
        title: 'Steps with the exact Fisher matrix',
        xLabel: 'steps',
        yLabel: '|f_t - y| / |f_0 - y|',
        series: law,
        logY: true,
        dots: true,
      }),
    ],
    tables: tables(results, laws, widths),
    note:
      'Metrics are those of the optimizers of this package, in float64 on gradients in float32, whose rounding and the damping that it needs ' +
      'keep deviations above 1e-7. truncatedTridiagonal is no optimizer, and gradient is plain gradient descent.',
    facts: [
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
    ],
  });
}
