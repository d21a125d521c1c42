/** `natgrad train` saves itself, is interrupted, goes on, and shows what it does: as a user sees it. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as tf from '@tensorflow/tfjs';

import { fileHandler } from '../../src';
import { command, lastJson, natgrad, onTerminal } from './helpers';

interface RunAsJson {
  epochs: { trainLoss: number; testAccuracy: number }[];
}

const options = ['--train-examples', '200', '--batch-size', '10', '--epochs', '3', '--seed', '4'];
const train = (...more: string[]) => natgrad(['train', 'mnist', ...options, ...more]);

let folder: string;
let checkpoint: string;
let log: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'natgrad-'));
  [checkpoint, log] = [join(folder, 'checkpoint'), join(folder, 'log.csv')];
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Ends the training with SIGKILL as soon as it tells of its first epoch. */
async function interrupted(...more: string[]): Promise<void> {
  const child = spawn(command[0], [...command.slice(1), 'train', 'mnist', ...options, ...more], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.on('data', () => existsSync(join(checkpoint, 'model.json')) && child.kill('SIGKILL'));
  const waiting = setInterval(() => existsSync(join(checkpoint, 'model.json')) && child.kill('SIGKILL'), 5);
  await new Promise((resolve) => child.on('close', resolve));
  clearInterval(waiting);
  expect(child.signalCode).toBe('SIGKILL');
}

describe('natgrad train --checkpoint', () => {
  const files = () => ['--checkpoint', checkpoint, '--log', log];

  it('goes on after it was killed, with the losses of a run in one piece', async () => {
    const whole = lastJson<RunAsJson>(train('--json'));
    await interrupted(...files());
    const resumed = train('--json', '--resume', ...files());
    expect(resumed.status).toBe(0);
    const results = ({ epochs }: RunAsJson) =>
      epochs.map(({ trainLoss, testAccuracy }) => [trainLoss, testAccuracy]);
    expect(results(lastJson<RunAsJson>(resumed))).toEqual(results(whole));
    // The first epoch was not trained again: there is no line for it.
    expect(resumed.stderr).not.toMatch(/epoch 1\/3/);
    expect(resumed.stderr).toMatch(/^kfac {2}epoch 3\/3 {2}loss \d\.\d{4} {2}accuracy \d+\.\d+ % {2}\d+ s$/m);
  });

  it('has every step in its log once, and every epoch', () => {
    const [header, ...rows] = readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(','));
    const column = (name: string) => rows.map((row) => row[header.indexOf(name)]);
    const isStep = rows.map((row) => row[header.indexOf('loss')] !== '');
    const steps = column('step').map(Number);
    expect(steps.filter((_, i) => isStep[i])).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(steps.filter((_, i) => !isStep[i])).toEqual([20, 40, 60]);
    expect(
      column('damping')
        .filter((_, i) => isStep[i])
        .map(Number),
    ).toEqual(Array(60).fill(0.05));
    expect(
      column('val_acc')
        .filter((_, i) => !isStep[i])
        .map(Number)
        .every((accuracy) => accuracy > 0.2),
    ).toBe(true);
  });

  it('is a model that tfjs loads', async () => {
    tf.enableProdMode(); // Else tfjs advertises tfjs-node.
    await tf.setBackend('cpu');
    const model = await tf.loadLayersModel(fileHandler(checkpoint));
    expect(model.countParams()).toBe(785 * 80 + 81 * 80 + 81 * 10);
    expect(model.optimizer.iterations).toBe(60);
  });

  it('only prints the results of what is over', () => {
    const again = train('--resume', '--checkpoint', checkpoint);
    expect(again.status).toBe(0);
    expect(again.stdout).toMatch(/^kfac .*\d\.\d+ /m);
    expect(again.stderr).toBe('');
  });

  it.each<[string, string[], RegExp]>([
    [
      'a checkpoint that is there, without --resume',
      ['--checkpoint', '<folder>'],
      /holds a checkpoint already; go on with it by --resume/,
    ],
    [
      'a checkpoint of another batch size',
      ['--checkpoint', '<folder>', '--resume', '--batch-size', '20'],
      /trained with batch size 10, not 20/,
    ],
    [
      'a checkpoint of another optimizer',
      ['--checkpoint', '<folder>', '--resume', '--optimizer', 'sgd'],
      /trained with optimizer kfac, not sgd/,
    ],
    ['--resume alone', ['--resume'], /--resume needs to know from where; add --checkpoint/],
    ['a log without a format', ['--log', 'training.txt'], /log 'training\.txt' must end in \.csv or \.jsonl/],
  ])('refuses %s, in one line', (_, more, message) => {
    const { status, stdout, stderr } = train(...more.map((each) => each.replace('<folder>', checkpoint)));
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(message);
  });
});

describe('natgrad train on a terminal', () => {
  const args = ['train', 'mnist', ...options, '--optimizer', 'kfac'];

  it('shows a bar, curves and the table, in colours', () => {
    const shown = onTerminal(args);
    expect(shown).toContain('\u001b[36m█');
    const plain = shown.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '');
    expect(plain).toMatch(
      /100 % {2}loss \d\.\d+ {2}accuracy \d+\.\d+ % {2}damping 0\.05 {2}ms\/step \d+\.\d+/,
    );
    expect(plain).toMatch(/training loss {2}kfac\r?\n[\s\S]*┤[\s\S]*└─+\r?\n +0 +60 steps/);
    expect(plain).toMatch(/test accuracy, % {2}kfac\r?\n[\s\S]*3 epochs/);
    expect(plain).toMatch(/optimizer +settings/);
  });

  it('has no colours with NO_COLOR', () => {
    const shown = onTerminal(args, { NO_COLOR: '1' });
    expect(shown).toContain('█');
    expect(shown).not.toMatch(/\u001b\[[0-9;]*m/);
  });

  it('shows nothing with --quiet', () => expect(onTerminal([...args, '--quiet'])).toBe(''));
});
