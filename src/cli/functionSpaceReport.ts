/** Tables and plots of the function-space experiments. */
import { lineChart, type Series } from './chart';
import { metricNames, type EtaLaw, type MetricResult } from './functionSpace';
import { comparedOptimizers, learningRateGrids, type LossCurve } from './lossCurves';

/** Results of every network; tables and plots show means over those of one width. */
export interface Measurements {
  metrics: MetricResult[];
  /** Of the widest networks, as is `losses`. */
  etaLaw: EtaLaw[];
  losses: LossCurve[];
}

export interface CaptionedTable {
  caption: string;
  /** Header row first. */
  rows: string[][];
}

export function functionSpaceTables(measurements: Measurements): CaptionedTable[] {
  const { metrics, etaLaw, losses } = measurements;
  const widths = widthsOf(measurements);
  const widest = widths[widths.length - 1];
  const columns = widths.map((width) => `M = ${width}`);
  const perMetric = (value: 'deviation' | 'residual', show: (value: number) => string) =>
    metricNames.map((metric) => [
      metric,
      averaged(metrics, metric, widest, value === 'deviation' ? 'alpha' : 'learningRate').toPrecision(4),
      ...widths.map((width) => show(averaged(metrics, metric, width, value))),
    ]);
  const times = etaLaw[0].residuals.map((_, t) => t + 1);
  const shown = shownSteps(losses[0].losses.length - 1);
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
        ...ratesOf(etaLaw).flatMap((rate) => [
          [String(rate), 'measured', ...meanResiduals(etaLaw, rate).map((value) => value.toFixed(4))],
          ['', 'theory', ...times.map((t) => ((1 - rate) ** t).toFixed(4))],
        ]),
      ],
    },
    {
      caption: `Training loss after t steps at M = ${widest}. Learning rates: ${learningRateNote}`,
      rows: [
        ['optimizer', 'learning rate', ...shown.map((t) => `t = ${t}`)],
        ...comparedOptimizers.map((optimizer) => {
          const curve = meanLosses(losses, optimizer);
          const rates = curvesOf(losses, optimizer).map(({ learningRate }) => learningRate);
          return [optimizer, mean(rates).toPrecision(3), ...shown.map((t) => curve[t].toExponential(1))];
        }),
      ],
    },
  ];
}

const learningRateNote =
  'of theory for natural gradients; of gradient descent the best of ' +
  `${learningRateGrids.gradient.join(', ')} over the largest eigenvalue of the tangent kernel; of Adam the best of ${learningRateGrids.adam.join(', ')}`;

/** SVG elements. */
export function functionSpaceCharts(measurements: Measurements): string[] {
  const { metrics, etaLaw, losses } = measurements;
  const widths = widthsOf(measurements);
  const byWidth = (value: 'deviation' | 'residual'): Series[] =>
    metricNames.map((metric) => ({
      name: metric,
      x: widths,
      y: widths.map((width) => averaged(metrics, metric, width, value)),
    }));
  const times = Array.from({ length: etaLaw[0].residuals.length + 1 }, (_, t) => t);
  const law = ratesOf(etaLaw).flatMap((rate): Series[] => [
    { name: `measured, ${rate}`, x: times, y: [1, ...meanResiduals(etaLaw, rate)] },
    { name: `(1 - ${rate})^t`, x: times, y: times.map((t) => (1 - rate) ** t) },
  ]);
  const curves = comparedOptimizers.map((optimizer): Series => {
    const curve = meanLosses(losses, optimizer);
    return { name: optimizer, x: curve.map((_, t) => t), y: curve };
  });
  const overWidths = { xLabel: 'width M of the hidden layers', logY: true, dots: true };
  const overSteps = { xLabel: 'steps', logY: true, dots: true };
  return [
    lineChart({
      title: 'Deviation from isotropy',
      yLabel: '|K - alpha I| / |alpha I|',
      series: byWidth('deviation'),
      ...overWidths,
    }),
    lineChart({
      title: 'One step',
      yLabel: '|f_1 - y| / |f_0 - y|',
      series: byWidth('residual'),
      ...overWidths,
    }),
    lineChart({
      title: 'Steps with the exact Fisher matrix',
      yLabel: '|f_t - y| / |f_0 - y|',
      series: law,
      ...overSteps,
    }),
    lineChart({
      title: `Training loss, M = ${widths[widths.length - 1]}`,
      yLabel: 'half squared error',
      series: curves,
      ...overSteps,
    }),
  ];
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Means of curves, point by point. */
const meanCurve = (curves: number[][]) => curves[0].map((_, t) => mean(curves.map((curve) => curve[t])));

/** Ascending. */
function widthsOf({ metrics }: Measurements): number[] {
  return [...new Set(metrics.map(({ width }) => width))].sort((a, b) => a - b);
}

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

function ratesOf(laws: EtaLaw[]): number[] {
  return [...new Set(laws.map(({ learningRate }) => learningRate))];
}

function meanResiduals(laws: EtaLaw[], rate: number): number[] {
  return meanCurve(
    laws.filter(({ learningRate }) => learningRate === rate).map(({ residuals }) => residuals),
  );
}

function curvesOf(curves: LossCurve[], name: string): LossCurve[] {
  return curves.filter(({ optimizer }) => optimizer === name);
}

function meanLosses(curves: LossCurve[], optimizer: string): number[] {
  return meanCurve(curvesOf(curves, optimizer).map(({ losses }) => losses));
}

/** 0 to 3, then 1, 2 and 5 times powers of ten, and the last. */
function shownSteps(last: number): number[] {
  const round = (t: number) => t <= 3 || /^[125]0*$/.test(String(t));
  return Array.from({ length: last + 1 }, (_, t) => t).filter((t) => t === last || round(t));
}
