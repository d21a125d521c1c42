import { nativeKernels, type NativeKernels } from '../../src/accelerate/native';
import { requireAddon } from '../../src/linalg/loader';
import { randomNumbers } from './support';

const floats = (length: number) => new Float32Array(length).fill(1);

/** A 3x3 window over a 5x4 image of 2 channels, padded by one: 5x4 positions. */
const geometry = () => Int32Array.of(2, 5, 4, 2, 3, 3, 1, 1, 1, 1, 1, 1, 5, 4);
const image = 2 * 5 * 4 * 2;

/** A valid call of every native kernel; the last float array before the epilogue is the result. */
const validCalls: { [Name in keyof NativeKernels]: () => unknown[] } = {
  matMul: () => [
    ...[false, true, 2, 3, 4, 5, false, floats(30), true, floats(20), floats(24)],
    ...[floats(12), 6, floats(12), 0.5],
  ],
  epilogue: () => [floats(24), floats(12), 1, null, 0],
  add: () => [floats(24), floats(12), floats(24)],
  columnSum: () => [7, 3, floats(21), floats(3)],
  conv2d: () => [geometry(), 3, floats(image), floats(54), floats(120), floats(60), 6, floats(60), 0],
  conv2dFilterGradient: () => [geometry(), 3, floats(image), floats(120), floats(54)],
  conv2dInputGradient: () => [geometry(), 3, floats(120), floats(54), floats(image)],
  depthwise: () => [geometry(), 3, floats(image), floats(54), floats(240)],
  depthwiseFilterGradient: () => [geometry(), 3, floats(image), floats(240), floats(54)],
  depthwiseInputGradient: () => [geometry(), 3, floats(240), floats(54), floats(image)],
  maxPool: () => [geometry(), floats(image), floats(image)],
  maxPoolGradient: () => [geometry(), floats(image), floats(image), floats(image)],
  averagePool: () => [geometry(), floats(image), floats(image)],
  averagePoolGradient: () => [geometry(), floats(image), floats(image)],
  segmentSum: () => [Int32Array.of(0, 3, -7), 2, 4, floats(6), floats(8)],
  rational: () => [2, 5, 3, 4, 4, 2, floats(60), floats(12), floats(6), floats(60)],
  rationalGradient: () => [
    ...[2, 5, 3, 4, 4, 2, floats(60), floats(60), floats(12), floats(6)],
    ...[floats(60), floats(12), floats(6)],
  ],
};
const names = Object.keys(validCalls) as (keyof NativeKernels)[];

const call = (name: keyof NativeKernels, values: unknown[]) => {
  (nativeKernels()[name] as (...values: unknown[]) => void)(...values);
};

/** The code of the error that a call throws, or undefined. */
function outcome(name: keyof NativeKernels, values: unknown[]): string | undefined {
  try {
    call(name, values);
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? `no code: ${String(error)}`;
  }
}

describe.each(names)('the native kernel %s', (name) => {
  const valid = validCalls[name];
  const positions = valid().map((_, position) => position);

  it('takes the valid call that the others are made from', () => {
    expect(outcome(name, valid())).toBeUndefined();
  });

  it('refuses a call with an argument missing', () => {
    for (const position of positions) {
      expect(outcome(name, valid().slice(0, position))).toBe('ERR_NATGRAD_ARGUMENT');
    }
  });

  it.each(['text', {}, [], Symbol('x'), 12n, new Float64Array(24), new ArrayBuffer(96)])(
    'refuses %p in the place of any argument',
    (wrong) => {
      for (const position of positions) {
        const values = valid();
        values[position] = wrong;
        expect(outcome(name, values)).toBe('ERR_NATGRAD_TYPE');
      }
    },
  );

  it('refuses an array that is one element too long or too short, or detached', () => {
    for (const position of positions) {
      const value = valid()[position];
      if (!(value instanceof Float32Array)) continue;
      for (const length of [value.length - 1, value.length + 1]) {
        const values = valid();
        values[position] = floats(length);
        expect(outcome(name, values)).toBe('ERR_NATGRAD_SHAPE');
      }
      const values = valid();
      structuredClone((values[position] as Float32Array).buffer, {
        transfer: [(values[position] as Float32Array).buffer as ArrayBuffer],
      });
      expect(outcome(name, values)).toBe('ERR_NATGRAD_BUFFER');
    }
  });

  it('refuses a size that is negative, fractional, huge or no number', () => {
    for (const position of positions) {
      if (typeof valid()[position] !== 'number' || position === valid().length - 1) continue;
      for (const wrong of [-1, 1.5, 2 ** 31, 2 ** 53, 1e300, NaN, Infinity]) {
        const values = valid();
        values[position] = wrong;
        expect(outcome(name, values)).toBe('ERR_NATGRAD_ARGUMENT');
      }
    }
  });

  it('refuses a geometry with an impossible field', () => {
    const values = valid();
    if (!(values[0] instanceof Int32Array) || name === 'segmentSum') return;
    for (let field = 0; field < 14; ++field) {
      for (const wrong of [-1, -2147483648]) {
        const broken = geometry();
        broken[field] = wrong;
        expect(outcome(name, [broken, ...valid().slice(1)])).toBe('ERR_NATGRAD_ARGUMENT');
      }
      const huge = geometry();
      huge.fill(2147483647, field);
      expect(outcome(name, [huge, ...valid().slice(1)])).toBe('ERR_NATGRAD_SHAPE');
    }
    expect(outcome(name, [new Int32Array(13), ...valid().slice(1)])).toBe('ERR_NATGRAD_SHAPE');
  });

  it('refuses a result that shares memory with an operand', () => {
    const values = valid();
    const arrays = positions.filter((position) => values[position] instanceof Float32Array);
    const isEpilogue = (position: number) =>
      ['matMul', 'conv2d', 'epilogue'].includes(name) && position >= positions.length - 4;
    const result = arrays.filter((position) => !isEpilogue(position)).at(-1)!;
    for (const operand of arrays) {
      if (operand === result) continue;
      const [length, other] = [result, operand].map((position) => (values[position] as Float32Array).length);
      const memory = floats(length + other - 1);
      const overlapping = [...values];
      overlapping[result] = memory.subarray(0, length);
      overlapping[operand] = memory.subarray(length - 1);
      expect(outcome(name, overlapping)).toBe('ERR_NATGRAD_BUFFER');
    }
  });

  it('survives any geometry and sizes, whether it refuses them or computes', () => {
    const next = randomNumbers(names.indexOf(name) + 1);
    const integer = (least: number, most: number) =>
      least + Math.floor(((next() + 1) / 2) * (most - least + 1));
    let computed = 0;
    for (let round = 0; round < 400; ++round) {
      const values = valid();
      // Geometries whose arrays are of the right size, with windows anywhere at all.
      if (values[0] instanceof Int32Array && values[0].length === 14) {
        const g = values[0];
        for (const field of [4, 5, 6, 7, 8, 9]) g[field] = integer(1, 7);
        for (const field of [0, 1, 2, 3, 10, 11, 12, 13]) g[field] = integer(0, 6);
        const imageSize = g[0] * g[1] * g[2] * g[3];
        const patches = g[0] * g[12] * g[13];
        const last = integer(0, 3);
        const filter = g[4] * g[5] * g[3] * last;
        if (name.startsWith('conv2d')) {
          const sizes = { x: floats(imageSize), filter: floats(filter), y: floats(patches * last) };
          if (name === 'conv2d') values.splice(1, 8, last, sizes.x, sizes.filter, sizes.y, null, 0, null, 0);
          else if (name === 'conv2dFilterGradient') values.splice(1, 4, last, sizes.x, sizes.y, sizes.filter);
          else values.splice(1, 4, last, sizes.y, sizes.filter, sizes.x);
        } else if (name.startsWith('depthwise')) {
          const sizes = { x: floats(imageSize), filter: floats(filter), y: floats(patches * g[3] * last) };
          if (name === 'depthwise') values.splice(1, 4, last, sizes.x, sizes.filter, sizes.y);
          else if (name === 'depthwiseFilterGradient')
            values.splice(1, 4, last, sizes.x, sizes.y, sizes.filter);
          else values.splice(1, 4, last, sizes.y, sizes.filter, sizes.x);
        } else {
          const [x, y] = [() => floats(imageSize), () => floats(patches * g[3])];
          if (name === 'maxPoolGradient') values.splice(1, 3, x(), y(), x());
          else if (name === 'averagePoolGradient') values.splice(1, 2, y(), x());
          else values.splice(1, 2, x(), y());
        }
      } else {
        positions.forEach((position) => {
          if (typeof values[position] === 'number') values[position] = integer(0, 6);
        });
      }
      const code = outcome(name, values);
      if (code === undefined) computed += 1;
      else expect(code).toMatch(/^ERR_NATGRAD_(SHAPE|ARGUMENT)$/);
    }
    if (valid()[0] instanceof Int32Array && name !== 'segmentSum') expect(computed).toBe(400);
  });
});

it('the convolutions give the same bits on one thread and on several', () => {
  const next = randomNumbers(1);
  const random = (length: number) => Float32Array.from({ length }, next);
  const g = Int32Array.of(9, 20, 19, 8, 3, 3, 1, 1, 1, 1, 1, 1, 20, 19);
  const [x, filter, y] = [random(9 * 20 * 19 * 8), random(9 * 8 * 12), random(9 * 20 * 19 * 12)];
  const native = nativeKernels();
  const results = (threads: number) => {
    const before = requireAddon().getThreads();
    requireAddon().setThreads(threads);
    const [out, dFilter, dx] = [y, filter, x].map(({ length }) => new Float32Array(length));
    native.conv2d(g, 12, x, filter, out, random(12).fill(0.5), 1, null, 0);
    native.conv2dFilterGradient(g, 12, x, y, dFilter);
    native.conv2dInputGradient(g, 12, y, filter, dx);
    requireAddon().setThreads(before);
    return [out, dFilter, dx];
  };
  const expected = results(1);
  for (const threads of [2, 3, 8]) {
    results(threads).forEach((values, i) => {
      expect(Buffer.compare(Buffer.from(values.buffer), Buffer.from(expected[i].buffer))).toBe(0);
    });
  }
});

it('memory that submitted work has leased is refused until that work is done', () => {
  const addon = requireAddon();
  const size = 400;
  const [matrix, out] = [new Float64Array(size * size), new Float64Array(size * size)];
  for (let i = 0; i < size; ++i) matrix[i * size + i] = 2;
  const pending = addon.submit([[{ op: 'inverse', matrix, size, damping: 0, out }]]);
  const values = new Float32Array(out.buffer, 0, 4);
  expect(outcome('add', [floats(4), floats(4), values])).toBe('ERR_NATGRAD_BUFFER');
  pending.wait();
  expect(outcome('add', [floats(4), floats(4), values])).toBeUndefined();
});
