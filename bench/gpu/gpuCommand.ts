import { accelerate } from '../../src/accelerate';
import { selectBackend } from '../../src/cli/backend';
import { inspectCuda } from '../../src/linalg';
import { formatSection, type Section } from '../figures';
import { describeMachine } from '../machine';
import { deviceCalls } from './deviceCalls';
import { deviceStep } from './deviceStep';

export interface GpuFlags {
  json?: true;
  quick?: true;
  sizes?: number[];
}

/** `npm run bench -- gpu`; bench/gpu/run.sh needs no Node and compares with torch. */
export async function gpuCommand(flags: GpuFlags): Promise<void> {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const { reason, driver, libraries, devices } = inspectCuda();
  if (reason) throw new Error(`there is nothing to measure: ${reason}`);
  const machine = {
    ...describeMachine(),
    device: devices[0].name,
    cuda: `driver for CUDA ${driver}; ${libraries.map(({ name, version }) => `${name} ${version}`).join(', ')}`,
  };
  for (const [key, value] of Object.entries(machine)) {
    if (value !== undefined) say(`${key}: ${value}`);
  }
  say('float32 arrays; medians of rounds, quartiles in brackets\n');
  const quick = flags.quick === true;
  const sections: Section[] = [];
  const show = (section: Section) => {
    sections.push(section);
    say(formatSection(section));
  };
  const effort = quick ? { rounds: 2, burst: 0.01 } : { rounds: 7, burst: 0.05 };
  const sizes = flags.sizes ?? (quick ? [16, 65] : [256, 512, 1024, 2048, 4096]);
  for (const section of await deviceCalls(sizes, effort)) show(section);
  await selectBackend('wasm');
  const restore = accelerate({ backends: ['wasm'] });
  try {
    for (const units of quick ? [16] : [512, 1024, 2048])
      show(await deviceStep(units, { ...effort, burst: 0 }));
  } finally {
    restore();
  }
  if (flags.json) say(JSON.stringify({ command: 'gpu', machine, effort, sections }));
}
