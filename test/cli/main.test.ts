import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { isInstalled } from '../../src/cli/backend';
import type { Inspection } from '../../src/cli/inspectCommand';
import { describeWithCuda, fakeLibraries } from '../support/fakeCuda';
import { lastJson, natgrad, withFolder } from './helpers';

interface RunAsJson {
  optimizer: string;
  settings: { learningRate: number };
  tfBackend: string;
  msPerStep: number;
  epochs: { trainLoss: number; testLoss: number; testAccuracy: number; seconds: number }[];
}

const small = [
  '--train-examples',
  '500',
  '--batch-size',
  '10',
  '--schedule',
  'constant',
  '--epochs',
  '1',
  '--json',
];

/** The line about what went wrong, for outcomes that should have one line and no stack trace. */
function complaint(args: string[], status: number): string {
  const outcome = natgrad(args);
  expect(outcome.status).toBe(status);
  expect(outcome.stdout).toBe('');
  const lines = outcome.stderr.trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  return lines[0];
}

jest.setTimeout(120_000);

describe('natgrad train', () => {
  it.each(['sgd', 'momentum', 'adam', 'radam', 'kfac'])(
    '%s learns something from 500 digits in one epoch',
    (optimizer) => {
      const outcome = natgrad(['train', 'mnist', '--optimizer', optimizer, ...small]);
      expect(outcome.status).toBe(0);
      const run = lastJson<RunAsJson>(outcome);
      expect(run).toMatchObject({ optimizer, tfBackend: 'wasm' });
      expect(run.msPerStep).toBeGreaterThan(0);
      expect(run.epochs).toHaveLength(1);
      // A guess among ten classes costs ln 10 and is right once in ten.
      expect(run.epochs[0].trainLoss).toBeLessThan(Math.log(10));
      expect(run.epochs[0].testAccuracy).toBeGreaterThan(0.2);
      expect(run.epochs[0].testAccuracy).toBeLessThanOrEqual(1);
      expect(run.epochs[0].seconds).toBeGreaterThan(0);
    },
  );

  it('gives the same losses again for the same seed', () => {
    const losses = (seed: string) =>
      lastJson<RunAsJson>(natgrad(['train', 'mnist', '--optimizer', 'kfac', '--seed', seed, ...small]))
        .epochs[0].trainLoss;
    expect(losses('1')).toBe(losses('1'));
    expect(losses('1')).not.toBe(losses('2'));
  });

  it('uses the learning rate and the backend that are asked for', () => {
    const outcome = natgrad([
      'train',
      'mnist',
      '--optimizer',
      'sgd',
      '--learning-rate',
      '0.05',
      '--tf-backend',
      'cpu',
      ...small,
    ]);
    expect(lastJson<RunAsJson>(outcome)).toMatchObject({
      tfBackend: 'cpu',
      settings: { learningRate: 0.05 },
    });
  });

  it('trains on tfjs-node where it is installed, with the losses of wasm, and says how to install it where it is not', () => {
    const args = ['train', 'mnist', '--optimizer', 'sgd', ...small];
    if (isInstalled('tensorflow')) {
      const [run, reference] = ['tensorflow', 'wasm'].map((name) =>
        lastJson<RunAsJson>(natgrad([...args, '--tf-backend', name])),
      );
      expect(run.tfBackend).toBe('tensorflow');
      expect(run.epochs[0].trainLoss).toBeCloseTo(reference.epochs[0].trainLoss, 4);
    } else {
      expect(complaint([...args, '--tf-backend', 'tensorflow'], 1)).toMatch(
        /npm install @tensorflow\/tfjs-node/,
      );
    }
  });

  it('prints a table for people, and nothing with --quiet', () => {
    const args = ['train', 'mnist', '--optimizer', 'sgd', '--train-examples', '100', '--epochs', '1'];
    const [header, row] = natgrad(args).stdout.split('\n');
    expect(header).toMatch(/^optimizer +settings .*test accuracy +epochs to 97\.6 %.*ms\/step$/);
    expect(row).toMatch(/^sgd +lr /);
    expect(natgrad([...args, '--quiet'])).toMatchObject({ status: 0, stdout: '' });
  });
});

describe('natgrad compare', () => {
  it('trains all optimizers from the same start, and writes JSON and a report that loads nothing', () => {
    withFolder((folder) => {
      const file = join(folder, 'report.html');
      const outcome = natgrad(['compare', 'mnist', '--optimizers', 'sgd,adam', '--report', file, ...small]);
      expect(outcome.status).toBe(0);
      expect(lastJson<RunAsJson[]>(outcome).map((run) => run.optimizer)).toEqual(['sgd', 'adam']);
      const html = readFileSync(file, 'utf8');
      expect(html.match(/<svg /g)).toHaveLength(4);
      expect(html).toContain('<td>adam</td>');
      expect(html).not.toMatch(/<script|<link|src=|href=|@import/);
    });
  });

  it('chooses the learning rate from the grid', () => {
    const outcome = natgrad(['compare', 'mnist', '--optimizers', 'sgd', '--grid', ...small]);
    const [{ settings, epochs }] = lastJson<RunAsJson[]>(outcome);
    const losses = ['0.03', '0.1', '0.3', '1'].map((rate) => {
      const single = natgrad(['train', 'mnist', '--optimizer', 'sgd', '--learning-rate', rate, ...small]);
      return { rate: Number(rate), loss: lastJson<RunAsJson>(single).epochs[0].trainLoss };
    });
    const best = losses.reduce((a, b) => (b.loss < a.loss ? b : a));
    expect(settings.learningRate).toBe(best.rate);
    expect(epochs[0].trainLoss).toBe(best.loss);
  });
});

describe('natgrad, given something it cannot do,', () => {
  it.each([
    ['an unknown data set', ['train', 'nowhere'], 1, /unknown data set 'nowhere'/],
    [
      'an unknown optimizer',
      ['train', 'mnist', '--optimizer', 'lbfgs'],
      1,
      /unknown optimizer 'lbfgs'; known are sgd/,
    ],
    [
      'an unknown optimizer in a list',
      ['compare', 'mnist', '--optimizers', 'sgd,lbfgs'],
      1,
      /unknown optimizer 'lbfgs'/,
    ],
    [
      'a setting without effect',
      ['train', 'mnist', '--optimizer', 'sgd', '--damping', '1'],
      1,
      /sgd has no damping/,
    ],
    [
      'a folder without the files',
      ['train', __dirname, '--optimizer', 'sgd'],
      1,
      /train-images-idx3-ubyte is missing/,
    ],
    [
      'too many examples',
      ['train', 'mnist', '--optimizer', 'sgd', '--train-examples', '70000'],
      1,
      /has 60000/,
    ],
    [
      'convolutions on plain wasm',
      ['train', 'mnist', '--model', 'conv', '--no-accelerate'],
      1,
      /wasm backend cannot train conv/,
    ],
    ['an unknown option', ['train', 'mnist', '--nonsense'], 2, /unknown option '--nonsense'/],
    ['no number where one is needed', ['train', 'mnist', '--epochs', 'ten'], 2, /--epochs.*'ten' is invalid/],
    ['a negative learning rate', ['train', 'mnist', '--learning-rate', '-1'], 2, /must be a number above 0/],
    ['an unknown model', ['train', 'mnist', '--model', 'rnn'], 2, /Allowed choices are mlp, conv/],
    ['no data set', ['train'], 2, /missing required argument 'dataset'/],
  ])('says so in one line: %s', (_, args, status, message) => {
    expect(complaint(args, status)).toMatch(message);
  });

  it('shows where it happened when NATGRAD_DEBUG is set', () => {
    const { status, stderr } = natgrad(['train', 'nowhere'], { NATGRAD_DEBUG: '1' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/unknown data set 'nowhere'[\s\S]*\n +at .*dataset\.ts/);
  });
});

describeWithCuda('natgrad inspect with a CUDA device', () => {
  it('tells driver, libraries, device and free memory', () => {
    const { stdout } = natgrad(['inspect'], { LD_LIBRARY_PATH: fakeLibraries });
    expect(stdout).toMatch(
      /^CUDA +driver for CUDA up to 13\.0\n +libcuda\.so\.1 13\.0: .*\n +libcublas\.so\.13 13: .*\n +libcusolver\.so\.12 12\.0\.0: /m,
    );
    expect(stdout).toMatch(/^ +device 0: Fake GPU, compute capability 9\.0, 2\.0 of 2\.0 GiB free$/m);
  });

  it('tells why a device cannot be used', () => {
    const { stdout } = natgrad(['inspect'], { LD_LIBRARY_PATH: fakeLibraries, FAKE_CUDA_DEVICES: '0' });
    expect(stdout).toMatch(/^CUDA +not available: .*no CUDA-capable device is detected/m);
  });
});

describe('natgrad inspect', () => {
  it('says as JSON what runs here', () => {
    const found = lastJson<Inspection>(natgrad(['inspect', '--json']));
    expect(found.node).toBe(process.versions.node);
    expect(found.platform).toContain(process.arch);
    expect(found.backends).toMatchObject({ cpu: 'works', wasm: 'works' });
    expect(found.cuda).toMatchObject({ reason: expect.any(String) as string });
    if (found.addon === null) expect(found.addonProblem).toMatch(/could not be loaded/);
    else expect(existsSync(found.addon.path)).toBe(true);
  });

  it('explains why there is no addon', () => {
    const outcome = natgrad(['inspect', '--json'], { NATGRAD_ADDON: '/nowhere/natgrad.node' });
    const found = lastJson<Inspection>(outcome);
    expect(found.addon).toBeNull();
    expect(found.addonProblem).toContain('/nowhere/natgrad.node');
  });

  it('prints a table for people', () => {
    const { status, stdout } = natgrad(['inspect']);
    expect(status).toBe(0);
    for (const label of ['Node', 'addon', 'CUDA', 'tfjs', 'wasm'])
      expect(stdout).toMatch(new RegExp(`^ *${label} `, 'm'));
  });
});
