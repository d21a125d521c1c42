import { Writable } from 'node:stream';

import * as tf from '@tensorflow/tfjs';

import { kfac } from '../../src';
import { progressBar } from '../../src/callbacks';
import { duration, progressDisplay } from '../../src/callbacks/progressDisplay';
import { compiled, fit, useCpu } from './fitting';

beforeAll(useCpu);

/** What is written to it, and what a terminal of some width says of itself. */
class Screen extends Writable {
  written = '';
  constructor(
    readonly isTTY: boolean,
    readonly colours = false,
    readonly columns = 120,
  ) {
    super();
  }
  hasColors = () => this.colours;
  override _write(chunk: Buffer, _encoding: string, done: () => void) {
    this.written += chunk.toString();
    done();
  }
  /** What each line shows in the end. */
  get lines(): string[] {
    const plain = this.written.replace(/\u001b\[[0-9;]*[A-Za-z]/g, (code) =>
      code.endsWith('G') ? '\r' : '',
    );
    return plain.split('\n').map((line) => line.split('\r').at(-1)!);
  }
}

describe('progressBar', () => {
  it('shows on a terminal epoch, loss, metrics, damping and pace', async () => {
    const screen = new Screen(true);
    await fit(compiled(kfac({ damping: 0.07 })), progressBar({ stream: screen }), { epochs: 2 });
    expect(screen.lines).toHaveLength(2);
    expect(screen.lines[0]).toMatch(
      /^█{24} {2}100 % {2}epoch 2\/2 {2}loss \d\.\d+ {2}acc 0\.\d+ {2}damping 0\.07 {2}ms\/step \d+\.\d {2}\d+ s$/,
    );
    expect(screen.written).not.toContain('\u001b[36m');
  });

  it('has colours where the terminal has them', async () => {
    const screen = new Screen(true, true);
    await fit(compiled('sgd'), progressBar({ stream: screen }));
    expect(screen.written).toContain('\u001b[36m█');
  });

  it('writes plain lines elsewhere, one per epoch', async () => {
    const screen = new Screen(false, true);
    const { history } = await fit(compiled('sgd'), progressBar({ stream: screen }), {
      epochs: 2,
      validate: true,
    });

    expect(screen.written).not.toMatch(/\u001b|\r/);
    expect(screen.lines[1]).toMatch(
      /^epoch 2\/2 {2}loss .* {2}acc .* {2}val_loss .* {2}val_acc .* {2}\d+ s$/,
    );
    expect(screen.lines[1]).toContain(`val_acc ${Number((history.val_acc[1] as number).toPrecision(4))}`);
    expect(screen.lines[1]).toContain(`loss ${Number((history.loss[1] as number).toPrecision(4))}`);
    expect(screen.lines).toHaveLength(3);
  });

  it('counts steps as long as a data set does not tell how many there are', async () => {
    const screen = new Screen(true);
    const rows = tf.data.generator(function* () {
      for (let i = 0; i < 12; i++) yield { xs: [i, 1, -i, 2], ys: [1, 0, 0] };
    });
    const callbacks = progressBar({ stream: screen });
    await compiled('sgd').fitDataset(rows.batch(4), { epochs: 2, verbose: 0, callbacks });
    expect(screen.written).toMatch(/░{24} {2}1 {2}epoch 1\/2/);
    expect(screen.lines[0]).toMatch(/^█{24} {2}100 % {2}epoch 2\/2/);
  });

  it('is drawn no wider than the terminal', () => {
    const screen = new Screen(true, true, 50);
    const display = progressDisplay(screen, 'kfac');
    display.show({
      step: 1,
      steps: 4,
      values: { loss: '0.5', accuracy: '97.6 %', damping: '0.03' },
      seconds: 2,
    });
    display.stop();
    expect(screen.lines[0]).toBe(`kfac  ${'█'.repeat(6)}${'░'.repeat(18)}   25 %  loss 0.5`);
  });

  it('tells the time that remains: three times that of the first quarter', () => {
    const screen = new Screen(true);
    progressDisplay(screen).show({ step: 5, steps: 20, values: {}, seconds: 100 });
    expect(screen.lines[0]).toMatch(/5 min 0 s left$/);
  });

  it.each([
    [0.2, '1 s'],
    [59, '59 s'],
    [61, '1 min 1 s'],
    [3600 * 2 + 60 * 5, '2 h 5 min'],
  ])('writes %d seconds as %s', (seconds, text) => expect(duration(seconds)).toBe(text));

  it('refuses what cannot be written to', () => {
    expect(() => progressBar({ stream: {} as never })).toThrow(/stream is .*; give a writable stream/);
    expect(() => progressBar({ color: false } as never)).toThrow(/progressBar\.color is not an option/);
  });
});
