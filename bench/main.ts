import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';

import { gpuCommand, type GpuFlags } from './gpu/gpuCommand';
import { linalgCommand, suiteNames, type LinalgFlags } from './linalg/linalgCommand';
import { stepCommand, variantNames, type StepFlags } from './step/stepCommand';

function sizes(text: string): number[] {
  const list = text.split(',').map(Number);
  if (list.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    throw new InvalidArgumentError('It must be whole numbers from 1 on, separated by commas.');
  }
  return list;
}

function namesOf(known: readonly string[]): (text: string) => string[] {
  return (text) => {
    const list = text.split(',');
    const unknown = list.find((name) => !known.includes(name));
    if (unknown !== undefined) throw new InvalidArgumentError(`'${unknown}' is none of ${known.join(', ')}.`);
    return list;
  };
}

const program = new Command('bench').description('Measures natgrad against its peers.').exitOverride();

program
  .command('linalg')
  .description('the kernels against BLAS, LAPACK and Python')
  .option('--peers', 'also against numpy, scipy and torch, which are installed in .venv-peers if need be')
  .option('--sizes <list>', 'matrix sizes instead of those of each suite', sizes)
  .option('--only <list>', `some of the suites: ${suiteNames.join(', ')}`, namesOf(suiteNames))
  .option('--quick', 'fewer cases and rounds, to see whether it works')
  .option('--json', 'print one line of JSON last')
  .action(async (flags: LinalgFlags) => linalgCommand(flags));

program
  .command('step')
  .description('a training step with each optimizer')
  .option(
    '--backends <list>',
    `some of: ${variantNames.join(', ')} (default: those without "plain" that are installed)`,
    namesOf(variantNames),
  )
  .addOption(new Option('--model <name>', 'only this model').choices(['mlp', 'conv']))
  .option('--profile', 'also where the time of a K-FAC step goes')
  .option('--quick', 'fewer rounds, to see whether it works')
  .option('--json', 'print one line of JSON last')
  .action(async (flags: StepFlags) => stepCommand(flags));

program
  .command('gpu')
  .description('the linear algebra and a training step on a CUDA device against the processor')
  .option('--sizes <list>', 'matrix sizes', sizes)
  .option('--quick', 'tiny sizes and few rounds, to see whether it works')
  .option('--json', 'print one line of JSON last')
  .action(async (flags: GpuFlags) => gpuCommand(flags));

program.parseAsync().catch((error: unknown) => {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2; // Commander has printed what was wrong.
    return;
  }
  process.stderr.write(`bench: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
