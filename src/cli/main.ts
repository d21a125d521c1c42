#!/usr/bin/env node
import { Argument, Command, CommanderError, Option } from 'commander';

import { NatgradError } from '../errors';
import { count, counts, fraction, positive, seed, share, type TrainFlags, type TrainingFlags } from './flags';
import type { ReproduceFlags } from './reproduceCommand';
import { packageVersion } from './versions';

// The commands are imported when they run: tfjs takes a second to load, and help and mistakes should not wait for it.

function withTrainingOptions(command: Command): Command {
  return command
    .argument('<dataset>', 'mnist, or a folder of IDX files (train-images-idx3-ubyte and its like)')
    .addOption(new Option('--model <name>', 'what to train').choices(['mlp', 'conv']).default('mlp'))
    .option('--epochs <count>', 'passes over the training examples', count, 5)
    .option('--batch-size <count>', 'examples per step', count, 50)
    .option('--learning-rate <number>', "initial learning rate instead of the optimizer's default", positive)
    .addOption(
      new Option('--schedule <name>', 'how the learning rate falls')
        .choices(['constant', 'linear', 'cosine', 'exponential'])
        .default('exponential'),
    )
    .option('--damping <number>', "damping instead of the optimizer's default", positive)
    .option('--momentum <number>', "momentum instead of the optimizer's default", fraction)
    .option('--l2 <number>', "L2 penalty instead of the optimizer's default", fraction)
    .option('--seed <number>', 'for initial weights, order of the examples and sampled labels', seed, 1)
    .addOption(
      new Option(
        '--tf-backend <name>',
        'backend of tfjs (default: wasm if it is installed, else cpu)',
      ).choices(['cpu', 'wasm', 'tensorflow']),
    )
    .option('--no-accelerate', "keep tfjs's own kernels on wasm and cpu")
    .option('--train-examples <count>', 'only so many of the training examples', count)
    .addOption(
      new Option('--target <percent>', 'test accuracy that the table gives epochs and seconds to')
        .argParser(share)
        .default(0.976, '97.6'),
    )
    .option('--report <file>', 'write an HTML report with the curves')
    .option('--json', 'print the results as JSON instead of the table')
    .option('--quiet', 'print neither progress nor table');
}

function createProgram(): Command {
  const program = new Command('natgrad')
    .description('Natural-gradient training for TensorFlow.js: train, compare, reproduce, inspect.')
    .version(packageVersion('natgrad') ?? 'unknown')
    .exitOverride();

  withTrainingOptions(program.command('train').description('train a classifier with one optimizer'))
    .option('--optimizer <name>', 'sgd, momentum, adam, radam, or a method of natgrad such as kfac', 'kfac')
    .option('--log <file>', 'write a row per step with what the optimizer tells: .csv or .jsonl')
    .option('--checkpoint <folder>', 'save the training after every epoch')
    .option('--resume', 'go on with what --checkpoint names, if there is something')
    .action(async (dataset: string, flags: TrainFlags) => {
      const { trainCommand } = await import('./trainCommand.js');
      await trainCommand(dataset, flags);
    });

  withTrainingOptions(
    program.command('compare').description('train the same classifier with several optimizers'),
  )
    .option('--optimizers <names>', 'separated by commas, or all', 'sgd,momentum,adam,kfac')
    .option('--grid', 'choose the learning rate of each optimizer on a small grid')
    .action(async (dataset: string, flags: TrainingFlags & { optimizers: string; grid?: true }) => {
      const { compareCommand } = await import('./trainCommand.js');
      await compareCommand(dataset, flags);
    });

  program
    .command('reproduce')
    .description('measure what a paper says')
    .addArgument(
      new Argument(
        '<experiment>',
        'function-space: isotropy, one-step convergence and losses of wide networks',
      ).choices(['function-space']),
    )
    .option('--width <list>', 'widths of the hidden layers, separated by commas', counts, [128, 256, 512])
    .option('--examples <count>', 'training examples', count, 32)
    .option('--seeds <count>', 'networks per width, over which results are averaged', count, 3)
    .option('--steps <count>', 'steps of the comparison with gradient descent and Adam', count, 10)
    .addOption(
      new Option('--data <name>', 'drawn inputs, or zeros and ones of MNIST')
        .choices(['gaussian', 'mnist'])
        .default('gaussian'),
    )
    .addOption(
      new Option(
        '--tf-backend <name>',
        'backend of tfjs (default: wasm if it is installed, else cpu)',
      ).choices(['cpu', 'wasm', 'tensorflow']),
    )
    .option('--report <file>', 'write an HTML report with plots')
    .option('--json', 'print the measurements as JSON instead of the tables')
    .action(async (_experiment: string, flags: ReproduceFlags) => {
      const { reproduceFunctionSpace } = await import('./reproduceCommand.js');
      await reproduceFunctionSpace(flags);
    });

  program
    .command('inspect')
    .description('say what runs here: addon, BLAS, CUDA, tfjs and its backends')
    .option('--json', 'print JSON')
    .action(async (flags: { json?: true }) => {
      const { inspectCommand } = await import('./inspectCommand.js');
      await inspectCommand(flags);
    });

  program
    .command('tfjs-node')
    .description('install @tensorflow/tfjs-node in the current project, also behind a firewall')
    .option('--save', 'write it to package.json')
    .action(async (flags: { save?: true }) => {
      const { tfjsNodeCommand } = await import('./tfjsNodeCommand.js');
      await tfjsNodeCommand(flags);
    });
  return program;
}

/** One line for the user; the stack only when NATGRAD_DEBUG is set. */
function report(error: unknown): void {
  const isError = error instanceof Error;
  const message = isError ? error.message : String(error);
  const hint = error instanceof NatgradError ? '' : ' (set NATGRAD_DEBUG=1 to see where)';
  const debugged = process.env.NATGRAD_DEBUG !== undefined && isError ? error.stack : undefined;
  process.stderr.write(`natgrad: ${debugged ?? message + hint}\n`);
}

createProgram()
  .parseAsync()
  .catch((error: unknown) => {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2; // Commander has printed what was wrong.
    } else {
      report(error);
      process.exitCode = 1;
    }
  });
