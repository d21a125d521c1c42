/** Every example trains with each of its optimizers, as `npm run example` starts it, on a few examples for one or two epochs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const runner = join(root, 'examples', 'run.js');
const names = readdirSync(join(root, 'examples'))
  .filter((file) => file.endsWith('.js') && file !== 'run.js')
  .map((file) => file.slice(0, -'.js'.length));

interface Line {
  example: string;
  optimizer: string;
}

describe('the examples', () => {
  let lines: Line[] = [];

  beforeAll(() => {
    // One process for all: loading tfjs takes longer than training.
    const args = ['all', '--compare', '--epochs', '2', '--examples', '120', '--json'];
    const output = execFileSync(process.execPath, [runner, ...args], { cwd: root, encoding: 'utf8' });
    lines = output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Line);
  }, 300_000);

  it.each(names)('%s reports finite results of Adam and of a method of natgrad', (name) => {
    const ofExample = lines.filter(({ example }) => example === name);
    expect(ofExample).toHaveLength(2);
    expect(ofExample[0].optimizer).toBe('adam');
    for (const line of ofExample) {
      const results = Object.entries(line).filter(([key]) => key !== 'example' && key !== 'optimizer');
      // What the example measures, and the time. JSON has null for what is not finite.
      expect(results.length).toBeGreaterThanOrEqual(2);
      expect(results.filter(([, value]) => !Number.isFinite(value))).toEqual([]);
    }
  });

  it.each(names)('%s is described in the table', (name) => {
    expect(readFileSync(join(root, 'examples', 'README.md'), 'utf8')).toContain(`(${name}.js)`);
  });
});

describe('npm run example', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [runner, ...args], { cwd: root, encoding: 'utf8' });

  it('takes any method of natgrad, and says the same twice', () => {
    const train = () => {
      const { stdout } = run('iris', '--optimizer', 'ekfac', '--epochs', '2', '--json');
      return { ...(JSON.parse(stdout) as Line), seconds: 0 };
    };
    const first = train();
    expect(first).toMatchObject({ example: 'iris', optimizer: 'ekfac' });
    expect(train()).toEqual(first);
  });

  it.each([
    ['an unknown example', ['tulip'], "there is no example 'tulip'"],
    ['an unknown optimizer', ['iris', '--optimizer', 'magic'], "there is no optimizer 'magic'"],
    ['no number', ['iris', '--epochs', 'many'], '--epochs needs a positive number'],
    ['an unknown option', ['iris', '--fast'], "'--fast'"],
  ])('explains itself when given %s', (_, args, message) => {
    const { status, stderr } = run(...args);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).toContain('npm run example -- NAME');
  });
});
