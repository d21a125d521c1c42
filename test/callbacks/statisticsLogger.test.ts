import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as tf from '@tensorflow/tfjs';

import { kfac, trustRegion } from '../../src';
import { statisticsLogger } from '../../src/callbacks';
import { errorWithCode } from '../errorWithCode';
import { backends, useBackend } from '../support/backends';
import { compiled, fit, useCpu } from './fitting';

let folder: string;
let file: (name: string) => string;
beforeAll(useCpu);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'natgrad-'));
  file = (name) => join(folder, name);
});
afterEach(() => rmSync(folder, { recursive: true }));

const lines = (name: string) => readFileSync(file(name), 'utf8').trimEnd().split('\n');

/** The rows of a CSV file by column. */
function table(name: string): Record<string, string>[] {
  const [header, ...rows] = lines(name).map((line) => line.split(','));
  return rows.map((row) => Object.fromEntries(row.map((cell, i) => [header[i], cell])));
}

/** Losses of batches that training saw, and what the optimizer told after each. */
function witness(): tf.Callback & { rows: Record<string, unknown>[] } {
  const rows: Record<string, unknown>[] = [];
  class Witness extends tf.Callback {
    readonly rows = rows;

    override async onBatchEnd(_batch: number, logs?: Parameters<tf.Callback['onBatchEnd']>[1]) {
      const [loss] = await (logs!.loss as tf.Scalar).data();
      rows.push({ loss, stats: (this.model.optimizer as ReturnType<typeof kfac>).stats() });
    }
  }
  return new Witness();
}

describe('statisticsLogger', () => {
  it.each(['csv', 'jsonLines'] as const)(
    'writes as %s what the optimizer tells of each step',
    async (format) => {
      const seen = witness();
      const logger = statisticsLogger({ path: file('log'), format });
      await fit(compiled(kfac({ damping: (step) => 1 / (step + 1) })), [seen, logger], { epochs: 2 });
      const rows =
        format === 'csv'
          ? table('log')
          : lines('log').map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(rows).toHaveLength(6);
      const values = (column: string) => rows.map((row) => Number(row[column]));
      const told = seen.rows.map(({ stats }) => stats as ReturnType<ReturnType<typeof kfac>['stats']>);
      expect(values('step')).toEqual([1, 2, 3, 4, 5, 6]);
      expect(values('epoch')).toEqual([0, 0, 0, 1, 1, 1]);
      expect(values('loss')).toEqual(seen.rows.map(({ loss }) => loss));
      expect(values('damping')).toEqual(told.map(({ damping }) => damping));
      expect(values('klClip')).toEqual(told.map(({ klClip }) => klClip));
      expect(values('refreshAge')).toEqual(told.map(({ refreshAge }) => refreshAge));
      expect(values('milliseconds.update')).toEqual(told.map(({ milliseconds }) => milliseconds.update));
      expect(rows.map((row) => row.fisher)).toEqual(Array(6).fill('sampled'));
    },
  );

  it('writes every n-th step, and the metrics of validation in rows of their own', async () => {
    const logger = statisticsLogger({ path: file('log.csv'), every: 2 });
    const { history } = await fit(compiled(kfac()), logger, { epochs: 2, validate: true });
    const rows = table('log.csv');
    expect(rows.map(({ step }) => step)).toEqual(['2', '3', '4', '6', '6']);
    const validation = rows.filter((row) => row.val_loss !== '');
    expect(validation.map((row) => Number(row.val_loss))).toEqual(history.val_loss);
    expect(validation.map((row) => Number(row.val_acc))).toEqual(history.val_acc);
    expect(validation.map(({ step, loss, damping }) => [step, loss, damping])).toEqual([
      ['3', '', ''],
      ['6', '', ''],
    ]);
  });

  it('leaves empty what is not a number', async () => {
    await fit(compiled(trustRegion()), statisticsLogger({ path: file('log.csv') }));
    await fit(compiled(trustRegion()), statisticsLogger({ path: file('log.jsonl') }));
    const [row] = table('log.csv');
    expect(row.learningRate).toBe('');
    expect(Number(row['trustRegion.kl'])).toBeGreaterThan(0);
    expect(JSON.parse(lines('log.jsonl')[0])).toMatchObject({ learningRate: null });
  });

  it('writes the learning rate of the optimizers of tfjs', async () => {
    await fit(compiled(tf.train.adam(0.01)), statisticsLogger({ path: file('log.csv') }));
    expect(lines('log.csv')[0]).toBe('step,epoch,loss,acc,learningRate');
    expect(table('log.csv').map(({ learningRate }) => learningRate)).toEqual(['0.01', '0.01', '0.01']);
  });

  it('begins anew, or goes on with append: true', async () => {
    const model = compiled('sgd');
    const steps = () => table('log.csv').map(({ step }) => Number(step));
    await fit(model, statisticsLogger({ path: file('log.csv') }));
    await fit(model, statisticsLogger({ path: file('log.csv'), append: true }));
    expect(steps()).toEqual([1, 2, 3, 4, 5, 6]);
    await fit(model, statisticsLogger({ path: file('log.csv') }));
    expect(steps()).toEqual([7, 8, 9]);
  });

  it.each(['log.csv', 'log.jsonl'])(
    'drops from %s what a run wrote beyond the checkpoint, and half a line',
    async (name) => {
      const path = file(name);
      await fit(compiled('sgd'), statisticsLogger({ path }), { epochs: 2 });
      const written = readFileSync(path, 'utf8');
      const resumed = compiled('sgd');
      await fit(resumed, []);
      writeFileSync(path, written.slice(0, -5));
      await fit(resumed, statisticsLogger({ path, append: true }));
      const step = name.endsWith('.csv')
        ? table(name).map((row) => Number(row.step))
        : lines(name).map((line) => (JSON.parse(line) as { step: number }).step);
      expect(step).toEqual([1, 2, 3, 4, 5, 6]);
    },
  );

  it('does not mix the tables of two optimizers', async () => {
    const path = file('log.csv');
    await fit(compiled('sgd'), statisticsLogger({ path }));
    const before = readFileSync(path, 'utf8');
    const training = fit(compiled(kfac()), statisticsLogger({ path, append: true }));
    await expect(training).rejects.toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('leaves alone what is no table of JSON', async () => {
    writeFileSync(file('log.jsonl'), 'my notes\n');
    const training = fit(compiled('sgd'), statisticsLogger({ path: file('log.jsonl'), append: true }));
    await expect(training).rejects.toThrow(/holds a line that is no JSON; choose another file/);
    expect(lines('log.jsonl')).toEqual(['my notes']);
  });

  it('makes the folder, and says so if it cannot', async () => {
    await fit(compiled('sgd'), statisticsLogger({ path: file('a/b/log.csv') }));
    expect(table('a/b/log.csv')).toHaveLength(3);
    expect(readdirSync(file('a/b'))).toEqual(['log.csv']);
    writeFileSync(file('c'), '');
    const training = fit(compiled('sgd'), statisticsLogger({ path: file('c/log.csv') }));
    await expect(training).rejects.toThrow(/log .*c\/log\.csv cannot be written: .*; choose another file/);
  });

  it('says what writing for TensorBoard needs', async () => {
    const training = fit(compiled(kfac()), statisticsLogger({ path: folder, format: 'tensorBoard' }));
    await expect(training).rejects.toThrow(errorWithCode('ERR_NATGRAD_BACKEND'));
    await expect(training).rejects.toThrow(/needs the backend of @tensorflow\/tfjs-node, not 'cpu'/);
  });

  const withTfjsNode = backends.includes('tensorflow') ? it : it.skip;
  withTfjsNode('writes for TensorBoard on the backend of tfjs-node', async () => {
    await useBackend('tensorflow');
    try {
      await fit(compiled(kfac()), statisticsLogger({ path: folder, format: 'tensorBoard' }));
    } finally {
      await useBackend('cpu');
    }
    const [events, ...others] = readdirSync(folder).filter((name) => name.includes('tfevents'));
    expect(others).toEqual([]);
    // Event files hold the names of their curves as plain text.
    const text = readFileSync(file(events), 'latin1');
    for (const curve of ['loss', 'acc', 'damping', 'klClip', 'refreshAge']) expect(text).toContain(curve);
  });

  it.each<[unknown, RegExp]>([
    [{}, /path is undefined; give a string/],
    [{ path: 'log' }, /path is 'log', which tells no format; end it in \.csv or \.jsonl, or give format/],
    [{ path: 'log', format: 'xml' }, /format is 'xml'; use 'csv' or 'jsonLines' or 'tensorBoard'/],
    [{ path: 'log.csv', every: 0 }, /every is 0; give a positive integer/],
    [{ path: 'log.csv', append: 1 }, /append is 1; use true or false/],
    [{ path: 'log.csv', separator: ';' }, /statisticsLogger\.separator is not an option/],
  ])('refuses %p', (config, message) => {
    expect(() => statisticsLogger(config as never)).toThrow(message);
  });
});
