import { ColumnBlocks } from '../../../src/curvature/shared/columnBlocks';
import { KroneckerFactoredBlock } from '../../../src/curvature/kronecker/kroneckerFactored';
import { runPhases } from '../../../src/curvature/phases';
import type { Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, multiplyBy, precondition, refresh } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { relativeError } from '../../support/matrices';

const [rows, examples, lambda] = [3, 5, 0.1];
/** As a GRU of 2 units uses its recurrent kernel: gates first, then the candidate, at each of two time steps. */
const parts = [
  { begin: 0, size: 4 },
  { begin: 4, size: 2 },
];
const uses = [0, 1, 0, 1].map((part, use) => ({
  part,
  activation: { data: randomInputs(examples, rows, 10 + use), rows: examples, columns: rows },
  gradient: {
    data: randomInputs(examples, parts[part].size, 20 + use),
    rows: examples,
    columns: parts[part].size,
    begin: parts[part].begin,
  },
}));

function partBlock(size: number): KroneckerFactoredBlock {
  return new KroneckerFactoredBlock({
    shape: { names: ['kernel'], shapes: [[rows, size]] },
    inputSize: rows,
    outputSize: size,
    bias: false,
    precision: 'float64',
  });
}

function columns(matrix: Float64Array, { begin, size }: { begin: number; size: number }): Float64Array {
  return Float64Array.from(
    { length: rows * size },
    (_, at) => matrix[Math.floor(at / size) * 6 + begin + (at % size)],
  );
}

describe.each(['cpu', 'reference'] as const)('ColumnBlocks on the %s kernels', (backend) => {
  let kernel: Kernels;
  let whole: ColumnBlocks;
  let single: KroneckerFactoredBlock[];
  const vector = randomInputs(rows, 6, 30);

  beforeAll(() => {
    kernel = kernels(backend);
    const shape = { names: ['recurrent_kernel'], shapes: [[rows, 6]] };
    const blocks = parts.map((part) => ({ ...part, block: partBlock(part.size) }));
    whole = new ColumnBlocks(shape, blocks, 'float64');
    feed(kernel, whole, {
      examples,
      activations: uses.map(({ activation }) => activation),
      outputGradients: uses.map(({ gradient }) => gradient),
    });
    // Oracle: a kernel per block of columns, each told its own uses only.
    single = parts.map(({ size }, part) => {
      const own = uses.filter((use) => use.part === part);
      const block = partBlock(size);
      feed(kernel, block, {
        examples,
        activations: own.map(({ activation }) => activation),
        outputGradients: own.map(({ gradient }) => gradient),
      });
      return block;
    });
  });

  it('is block diagonal over the blocks of columns', () => {
    const dense = whole.toDense();
    for (let at = 0; at < dense.length; at++) {
      const [row, column] = [Math.floor(at / 18), at % 18];
      const of = (i: number) => parts.findIndex(({ begin, size }) => i % 6 >= begin && i % 6 < begin + size);
      if (of(row) !== of(column)) expect(dense[at]).toBe(0);
    }
    const products = multiplyBy(kernel, whole, [vector])[0] as Float64Array;
    const byHand = vector.map((_, i) => vector.reduce((sum, v, j) => sum + dense[i * 18 + j] * v, 0));
    expect(relativeError(products, byHand)).toBeLessThan(1e-13);
  });

  it('multiplies and preconditions every block of columns as a kernel of its own', () => {
    expect(whole.ready).toBe(false);
    expect(refresh(kernel, whole, lambda).failures).toBe(0);
    expect(whole.ready).toBe(true);
    const direction = precondition(kernel, whole, [vector])[0] as Float64Array;
    parts.forEach((part, i) => {
      refresh(kernel, single[i], lambda);
      const expected = precondition(kernel, single[i], [columns(vector, part)])[0];
      expect(relativeError(columns(direction, part), expected)).toBeLessThan(1e-14);
    });
    const out = [vector.slice()];
    const reports = runPhases(kernel, whole.preconditionPhases([vector], out)).at(-1)!;
    const dot = vector.reduce((sum, value, i) => sum + value * out[0][i], 0);
    expect(Math.abs(reports.reduce((sum, report) => sum + report.dot, 0) - dot)).toBeLessThan(1e-12);
  });

  it('keeps the state of every part by name, and restarts', () => {
    expect(Object.keys(whole.state())).toContain('columns4/inverseG');
    expect(Object.keys(whole.upcoming())).toContain('columns0/upcomingA');
    expect(whole.summary()).toMatchObject({
      structure: 'Kronecker factored, 2 blocks of columns',
      matrices: '3 x 3, 4 x 4, 3 x 3, 2 x 2',
      parameters: 18,
      reason: '',
    });
    whole.restart();
    expect(whole.toDense().every((value) => value === 0)).toBe(true);
  });
});
