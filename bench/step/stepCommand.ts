import { accelerate } from '../../src/accelerate';
import { isInstalled, selectBackend, type BackendName } from '../../src/cli/backend';
import { modelNames, type ModelName } from '../../src/cli/models';
import { formatSection, formatTargets, type Section } from '../figures';
import { describeMachine } from '../machine';
import { profileSuite } from './profile';
import { stepSuite } from './stepSuite';

/** A tfjs backend, accelerated where it can be, or as tfjs has it. */
const variants: Record<string, { backend: BackendName; accelerated: boolean }> = {
  wasm: { backend: 'wasm', accelerated: true },
  cpu: { backend: 'cpu', accelerated: true },
  tensorflow: { backend: 'tensorflow', accelerated: false },
  'wasm-plain': { backend: 'wasm', accelerated: false },
  'cpu-plain': { backend: 'cpu', accelerated: false },
};

export const variantNames = Object.keys(variants);

export interface StepFlags {
  backends?: string[];
  model?: ModelName;
  profile?: true;
  quick?: true;
  json?: true;
}

/** `npm run bench -- step` */
export async function stepCommand(flags: StepFlags): Promise<void> {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const machine = describeMachine();
  for (const [key, value] of Object.entries(machine)) {
    if (value !== undefined) say(`${key}: ${value}`);
  }
  say('medians of rounds of 20 steps each, quartiles in brackets\n');
  const chosen =
    flags.backends ??
    variantNames.filter((name) => !name.endsWith('plain') && isInstalled(variants[name].backend));
  const effort = { rounds: flags.quick ? 5 : 25, burst: 0 };
  const sections: Section[] = [];
  for (const name of chosen) {
    const { backend, accelerated } = variants[name];
    await selectBackend(backend);
    const restore = accelerated ? accelerate({ backends: [backend as 'cpu' | 'wasm'] }) : () => {};
    try {
      for (const model of flags.model ? [flags.model] : modelNames) {
        if (name === 'wasm-plain' && model === 'conv') {
          say('step, wasm-plain, conv: left out, tfjs has no gradient of a convolution on wasm\n');
          continue;
        }
        const section = await stepSuite(name, model, effort);
        sections.push(section);
        say(formatSection(section));
        if (flags.profile) {
          const profiled = await profileSuite(name, model, flags.quick ? 3 : 10);
          sections.push(profiled);
          say(formatSection(profiled));
        }
      }
    } finally {
      restore();
    }
  }
  say(formatTargets(sections));
  if (flags.json) say(JSON.stringify({ command: 'step', machine, effort, sections }));
}
