import { formatSection, formatTargets, type Section } from '../figures';
import { addonInfo, describeMachine } from '../machine';
import { lapackPeer, pythonPeer } from '../peer';
import { earlierInverse } from './earlierInverse';
import { factorUpdate } from './factor';
import { batchInverse, callOverhead, singleInverse } from './inverse';
import { squareRoot } from './inverseRoot';
import type { Measure, Suite } from './suite';
import { twoThreads } from './threads';

const suites: Record<string, Measure> = {
  overhead: callOverhead,
  factor: factorUpdate,
  inverse: singleInverse,
  batch: batchInverse,
  earlier: earlierInverse,
  root: squareRoot,
  threads: twoThreads,
};

export const suiteNames = Object.keys(suites);

export interface LinalgFlags {
  peers?: true;
  json?: true;
  quick?: true;
  sizes?: number[];
  only?: string[];
}

/** `npm run bench -- linalg` */
export async function linalgCommand(flags: LinalgFlags): Promise<void> {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const lapack = lapackPeer(addonInfo().core);
  const python = flags.peers ? pythonPeer() : undefined;
  try {
    const quick = flags.quick === true;
    const effort = quick ? { rounds: 5, burst: 0.01 } : { rounds: 15, burst: 0.03 };
    const suite: Suite = { sizes: flags.sizes, quick, effort, lapack, python };
    const machine = {
      ...describeMachine(),
      lapack: await lapack?.ask('about 0 0 0'),
      python: await python?.ask('about 0 0 0'),
    };
    for (const [key, value] of Object.entries(machine)) {
      if (value !== undefined) say(`${key}: ${value}`);
    }
    say('float32, one thread unless stated; medians of rounds, quartiles in brackets\n');
    const sections: Section[] = [];
    for (const name of flags.only ?? suiteNames) {
      const section = await suites[name](suite);
      if (section.rows.length === 0) continue;
      sections.push(section);
      say(formatSection(section));
    }
    say(formatTargets(sections));
    if (flags.json) say(JSON.stringify({ command: 'linalg', machine, effort, sections }));
  } finally {
    lapack?.close();
    python?.close();
  }
}
