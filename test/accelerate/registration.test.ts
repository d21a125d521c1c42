import * as tf from '@tensorflow/tfjs';
import { accelerate } from '../../src/accelerate';
import { catalogue } from '../../src/accelerate/catalogue';
import { backends, evaluate, expectClose, randomTensor, runKernel, watchOriginals } from './support';

const registered = () =>
  backends.flatMap((backend) =>
    [...catalogue[backend].keys()].map((name) => tf.getKernel(name, backend) as tf.KernelConfig | undefined),
  );

const expectSame = (actual: unknown[], expected: unknown[]) => {
  actual.forEach((config, i) => expect(config).toBe(expected[i]));
};

describe('accelerate', () => {
  it('works before a backend is started, whose other kernels and own set-up it leaves intact', async () => {
    // This test has to come first: the wasm backend starts here.
    const originals = registered();
    const restore = accelerate();
    await tf.setBackend('wasm');
    expect(Array.from(tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync())).toEqual([11]);
    restore();
    expectSame(registered(), originals);
    // The original kernel was prepared when the backend started, although it was not the registered one then.
    expect(Array.from(tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync())).toEqual([11]);
  });

  it('replaces every kernel of its catalogue and puts the very same ones back', () => {
    const originals = registered();
    const restore = accelerate();
    registered().forEach((config, i) => {
      expect(config).toBeDefined();
      expect(config).not.toBe(originals[i]);
    });
    restore();
    expectSame(registered(), originals);
  });

  it('brings the wasm backend the kernels it lacks, and takes them away again', () => {
    const lacking = [
      tf.Conv2DBackpropFilter,
      tf.DepthwiseConv2dNativeBackpropFilter,
      tf.DepthwiseConv2dNativeBackpropInput,
      tf.UnsortedSegmentSum,
    ];
    const present = () => lacking.map((name) => Boolean(tf.getKernel(name, 'wasm')));
    expect(present()).toEqual([false, false, false, false]);
    const restore = accelerate();
    expect(present()).toEqual([true, true, true, true]);
    restore();
    expect(present()).toEqual([false, false, false, false]);
  });

  it('called twice changes nothing until both calls are undone, and undoing twice counts once', () => {
    const originals = registered();
    const first = accelerate();
    const accelerated = registered();
    const second = accelerate();
    expectSame(registered(), accelerated);
    first();
    first();
    expectSame(registered(), accelerated);
    second();
    expectSame(registered(), originals);
  });

  it('touches only the backends it is told to', () => {
    const originals = registered();
    const restore = accelerate({ backends: ['wasm', 'wasm'] });
    const half = catalogue.cpu.size;
    expectSame(registered().slice(0, half), originals.slice(0, half));
    registered()
      .slice(half)
      .forEach((config, i) => expect(config).not.toBe(originals[half + i]));
    restore();
    expectSame(registered(), originals);
  });

  it('leaves alone a kernel that somebody registered over its own', () => {
    const original = tf.getKernel(tf.MaxPool, 'cpu');
    const restore = accelerate();
    const theirs = { ...original };
    tf.unregisterKernel(tf.MaxPool, 'cpu');
    tf.registerKernel(theirs);
    restore();
    expect(tf.getKernel(tf.MaxPool, 'cpu')).toBe(theirs);
    tf.unregisterKernel(tf.MaxPool, 'cpu');
    tf.registerKernel(original);
  });

  it('names a backend that is unknown or not registered, and an unknown option', () => {
    const originals = registered();
    const code = (options: object) => {
      try {
        accelerate(options);
        return 'none';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(code({ backends: ['webgl'] })).toBe('ERR_NATGRAD_ARGUMENT');
    expect(code({ backend: 'cpu' })).toBe('ERR_NATGRAD_ARGUMENT');
    tf.removeBackend('wasm');
    expect(code({ backends: ['cpu', 'wasm'] })).toBe('ERR_NATGRAD_BACKEND');
    expectSame(registered(), originals);
  });
});

describe('what the native kernels do not take on', () => {
  it('goes to the kernels they replaced', async () => {
    const image = () => tf.range(0, 16, 1, 'int32').reshape([1, 4, 4, 1]);
    const compute = () => [
      tf.matMul(tf.tensor2d([[1, 2]], [1, 2], 'int32'), tf.tensor2d([[3], [4]], [2, 1], 'int32')),
      tf.maxPool(image() as tf.Tensor4D, 2, 2, 'valid'),
      runKernel(
        tf.Conv2D,
        { x: randomTensor([1, 2, 4, 4], 1), filter: randomTensor([3, 3, 2, 3], 2) },
        { strides: 1, pad: 'same', dataFormat: 'NCHW', dilations: 1 },
      ),
      runKernel(
        tf._FusedMatMul,
        { a: randomTensor([1, 2, 3], 1), b: randomTensor([1, 3, 4], 2), bias: randomTensor([2, 1], 3) },
        { transposeA: false, transposeB: false, activation: 'relu' },
      ),
    ];
    const expected = await evaluate('cpu', compute);
    const watched = watchOriginals();
    const restore = accelerate({ backends: ['cpu'] });
    expectClose(await evaluate('cpu', compute), expected, 0);
    expect(watched.calls).toEqual([tf.BatchMatMul, tf.MaxPool, tf.Conv2D, tf._FusedMatMul]);
    restore();
    watched.restore();
  });

  it('keeps the error message of the original', async () => {
    await tf.setBackend('cpu');
    const mismatch = () => tf.matMul(tf.ones([2, 3]), tf.ones([4, 5]));
    let message = '';
    try {
      mismatch();
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain('inner shapes');
    const restore = accelerate({ backends: ['cpu'] });
    expect(mismatch).toThrow(message);
    restore();
  });
});
