import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as tf from '@tensorflow/tfjs';

import { host } from '../../src/host/currentHost';
import { TensorFlowOp } from '../../src/host/tensorflowOp';
import { kernels, type KroneckerJob } from '../../src/linalg';
import { loadAddon } from '../../src/linalg/loader';
import { backends, useBackend } from '../support/backends';
import type { Trained } from './trainSteps';

const register = join(__dirname, '..', 'support', 'register.cjs');

function run(program: string[], environment: Record<string, string> = {}): string {
  const child = spawnSync(process.execPath, ['--require', register, ...program], {
    encoding: 'utf8',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', ...environment },
  });
  expect({ status: child.status, signal: child.signal, error: child.status ? child.stderr : '' }).toEqual({
    status: 0,
    signal: null,
    error: '',
  });
  return child.stdout.trimEnd().split('\n').at(-1)!;
}

test('without TensorFlow in the process there is no op, and a reason', () => {
  const path = JSON.stringify((loadAddon() as { path: string }).path);
  const found = JSON.parse(
    run(['--print', `JSON.stringify(require(${path}).tensorflow.register())`]),
  ) as object;
  expect(found).toEqual({ op: '', obstacle: 'TensorFlow is not loaded' });
});

const withTensorFlow = backends.includes('tensorflow') ? describe : describe.skip;

withTensorFlow('the op in the TensorFlow of tfjs-node', () => {
  beforeAll(() => useBackend('tensorflow'));

  /** Values that TensorFlow has computed, so that no array of JavaScript is their memory. */
  const computed = (size: number) => tf.tidy(() => tf.range(0, size).mul(2).add(1));

  test('lends the memory of a tensor, and takes it back at the end', () => {
    const tensor = computed(5000);
    const view = host().lend(() => {
      const values = host().read(tensor);
      expect(values).toEqual(tensor.dataSync());
      return values;
    });
    expect(view).toHaveLength(0);
    tensor.dispose();
  });

  test('takes it back when the work throws, and only at the outermost end', () => {
    const tensor = computed(5000);
    const views: Float32Array[] = [];
    const lend = () =>
      host().lend(() => {
        views.push(host().read(tensor));
        host().lend(() => views.push(host().read(tensor)));
        expect(views.map((view) => view[4999])).toEqual([9999, 9999]);
        throw new Error('no more');
      });
    expect(lend).toThrow('no more');
    expect(views.map(({ length }) => length)).toEqual([0, 0]);
    tensor.dispose();
  });

  test('holds the memory of a tensor that is disposed meanwhile', () => {
    const tensor = computed(200_000);
    host().lend(() => {
      const values = host().read(tensor);
      tensor.dispose();
      // Memory that is free would be used for one of these.
      for (let i = 0; i < 20; i++) tf.zeros([200_000]).add(1).dispose();
      expect(values[199_999]).toBe(399_999);
    });
  });

  test('tensors that share memory share a view of it', () => {
    const tensor = computed(5000);
    const reshaped = tensor.reshape([50, 100]);
    host().lend(() => expect(host().read(reshaped).buffer).toBe(host().read(tensor).buffer));
    tf.dispose([tensor, reshaped]);
  });

  test('outside, and where it would not pay, values are copied and stay', () => {
    const [large, small] = [computed(5000), computed(3)];
    const outside = host().read(large);
    const copied = host().lend(() => host().read(small));
    tf.dispose([large, small]);
    expect(outside[4999]).toBe(9999);
    expect([...copied]).toEqual([1, 3, 5]);
  });

  test('memory that is lent cannot be used by submitted work, which would outlive it', () => {
    const tensor = computed(4096);
    const identity = Float32Array.of(1);
    const submit = () =>
      host().lend(() => {
        const input = host().read(tensor);
        const left = new Float32Array(4096).fill(1);
        const job: KroneckerJob = {
          op: 'kronecker',
          left,
          leftSize: 4096,
          leftForm: 'diagonal',
          right: identity,
          rightSize: 1,
          rightForm: 'full',
          input,
          out: new Float32Array(4096),
        };
        expect(kernels('cpu').run([[job]])[0][0].status).toBe('ok');
        kernels('cpu').submit([[job]]);
      });
    expect(submit).toThrow(/input is memory of a tensor/);
    tensor.dispose();
  });

  test('updated variables are read without a copy, whatever TensorFlow did with them in between', () => {
    const variable = tf.variable(computed(5000));
    for (let step = 0; step < 3; step++) {
      let written: Float32Array | undefined;
      host().update([variable], ([values]) => {
        values[0] += 1;
        written = values;
      });
      expect(tf.tidy(() => variable.square().dataSync()[0])).toBe((2 + step) ** 2);
      expect(host().read(variable)).toBe(written);
    }
    variable.dispose();
  });

  test('twenty steps of kfac give the same bits with the op and without', () => {
    const train = (environment: Record<string, string>) =>
      JSON.parse(run([join(__dirname, 'trainSteps.ts')], environment)) as Trained;
    const lent = train({ NATGRAD_TENSORFLOW_OP: '1' });
    const copied = train({ NATGRAD_TENSORFLOW_OP: '0' });
    expect(lent.zeroCopy).toBe(true);
    expect(copied.zeroCopy).toBe(false);
    expect(lent.weights).toEqual(copied.weights);
  });

  test('two copies of the addon, and worker threads, register ops of one process side by side', () => {
    // TensorFlow ends the process if a name is registered twice.
    const folder = mkdtempSync(join(tmpdir(), 'natgrad-'));
    try {
      const { path } = loadAddon() as { path: string };
      const copy = join(folder, 'natgrad.node');
      copyFileSync(path, copy);
      const [one, other, one2] = JSON.parse(
        run([join(__dirname, 'registerOps.cjs'), path, copy]),
      ) as string[];
      expect(one).toMatch(/^NatgradMemory/);
      expect(other).toMatch(/^NatgradMemory/);
      expect(other).not.toBe(one);
      expect(one2).toBe(one);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('it is found again, and can be switched off', () => {
    expect(TensorFlowOp.find().op).toBeDefined();
    process.env.NATGRAD_TENSORFLOW_OP = '0';
    try {
      expect(TensorFlowOp.find()).toEqual({ op: undefined, obstacle: 'NATGRAD_TENSORFLOW_OP is 0' });
    } finally {
      delete process.env.NATGRAD_TENSORFLOW_OP;
    }
  });
});
