import * as readline from 'node:readline';

/** What is known after a step. */
export interface Progress {
  /** Steps done in this training. */
  step: number;
  /** Steps to be done in all; null if that is not known. */
  steps: number | null;
  /** What is shown beside the bar, as text by name. */
  values: Record<string, string>;
  /** Seconds since it began. */
  seconds: number;
}

/** Shows how training goes on. */
export interface ProgressDisplay {
  /** After a step. */
  show(progress: Progress): void;
  /** After an epoch. */
  finishEpoch(name: string, values: Record<string, string>): void;
  /** At the end. Until then the cursor stays at the end of a bar; nothing else needs to be undone. */
  stop(): void;
}

/** A terminal, or anything else that can be written to. */
export type Output = NodeJS.WritableStream & {
  isTTY?: boolean;
  columns?: number;
  hasColors?: () => boolean;
};

/**
 * On a terminal a bar that is drawn again and again, in colours unless NO_COLOR or the terminal forbids them; elsewhere a plain line per epoch.
 */
export function progressDisplay(output: Output, label = ''): ProgressDisplay {
  return output.isTTY === true ? barDisplay(output, label) : lineDisplay(output, label);
}

const BAR_WIDTH = 24;
const REDRAW_MILLISECONDS = 100;

function barDisplay(output: Output, label: string): ProgressDisplay {
  let progress: Progress | null = null;
  let values: Record<string, string> = {};
  let drawnAt = -Infinity;

  const draw = () => {
    if (progress === null) return;
    drawnAt = performance.now();
    readline.cursorTo(output, 0);
    output.write(barLine(label, { ...progress, values }, output));
    readline.clearLine(output, 1);
  };
  return {
    show(next) {
      progress = next;
      values = { ...values, ...next.values };
      if (performance.now() - drawnAt >= REDRAW_MILLISECONDS) draw();
    },
    finishEpoch(_name, shown) {
      values = { ...values, ...shown };
      draw();
    },
    stop() {
      draw();
      if (progress !== null) output.write('\n');
      progress = null;
    },
  };
}

/** One line that is no wider than the terminal: what does not fit is left out from the end. */
function barLine(label: string, { step, steps, values, seconds }: Progress, output: Output): string {
  // Node's own answer knows NO_COLOR, FORCE_COLOR and terminals without colours.
  const colours = output.hasColors?.() === true;
  const paint = (code: number, text: string) =>
    colours && code !== 0 && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text;
  const [bold, faint, cyan] = [1, 2, 36];
  const share = steps === null ? 0 : step / steps;
  const done = Math.round(share * BAR_WIDTH);
  const left = steps === null ? '' : `${duration((seconds * (steps - step)) / step)} left`;

  const parts: [number, string][][] = [
    ...(label === '' ? [] : [[[bold, label] as [number, string]]]),
    [
      [cyan, '█'.repeat(done)],
      [faint, '░'.repeat(BAR_WIDTH - done)],
    ],
    [[0, steps === null ? `${step}` : `${Math.floor(100 * share)} %`.padStart(5)]],
    ...Object.entries(values).map(([name, value]): [number, string][] => [
      [faint, `${name} `],
      [0, value],
    ]),
    [[faint, step === steps ? duration(seconds) : left]],
  ];
  let room = (output.columns ?? 80) - 1;
  const fitting = parts.filter((part) => {
    room -= part.reduce((sum, [, text]) => sum + text.length, 2);
    return room >= 0;
  });
  return fitting.map((part) => part.map(([code, text]) => paint(code, text)).join('')).join('  ');
}

function lineDisplay(output: Output, label: string): ProgressDisplay {
  let seconds = 0;
  return {
    show: (progress) => {
      seconds = progress.seconds;
    },
    finishEpoch(name, values) {
      const texts = Object.entries(values).map(([key, value]) => `${key} ${value}`);
      const parts = [label.trim(), name, ...texts, duration(seconds)].filter((part) => part !== '');
      output.write(`${parts.join('  ')}\n`);
    },
    stop: () => {},
  };
}

/** `42 s`, `3 min 20 s`, `2 h 5 min` */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
