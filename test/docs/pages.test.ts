/** The programs of the pages in docs run, what the pages link to is there, and every method has its page. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { runInNewContext } from 'node:vm';

import { DEFAULTS } from '../../src/optimizer/config';
import * as presets from '../../src/optimizer/presets/index';

const root = join(__dirname, '..', '..');

function pagesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    // docs/api is generated.
    if (entry.isDirectory()) return entry.name === 'api' ? [] : pagesIn(path);
    return entry.name.endsWith('.md') ? [relative(root, path)] : [];
  });
}

const text = (page: string) => readFileSync(join(root, page), 'utf8');
const pages = pagesIn(join(root, 'docs'));
const programs = pages.flatMap((page) => {
  return [...text(page).matchAll(/```js\n/g)].map((_, i) => `${page}, program ${i + 1}`);
});

const errorCodes = [...text('src/errors.ts').matchAll(/'(ERR_NATGRAD_\w+)'/g)].map(([, code]) => code);

describe('the programs in docs', () => {
  let outputs: Map<string, string>;

  beforeAll(() => {
    // One process for all: loading tfjs takes longer than the programs. A program that fails ends it; its output tells.
    let lines: string;
    try {
      const runner = join(__dirname, 'runPrograms.cjs');
      lines = execFileSync(process.execPath, [runner, ...pages], { cwd: root, encoding: 'utf8' });
    } catch (error) {
      lines = (error as { stdout: string }).stdout;
    }
    const reports = lines.split('\n').filter((line) => line.startsWith('['));
    outputs = new Map(reports.map((line) => JSON.parse(line) as [string, string]));
  }, 300_000);

  it.each(programs)('%s runs, without warnings', (name) => {
    const output = outputs.get(name) ?? 'did not run, because another failed before';
    expect(output).not.toMatch(/did not run|failed:|NaN|natgrad:/);
    expect(output).not.toBe('');
  });
});

describe('the pages', () => {
  it.each(['README.md', 'CONTRIBUTING.md', 'examples/README.md', ...pages])(
    '%s links to what is there',
    (page) => {
      const targets = [...text(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
      for (const target of targets.filter((each) => !/^https?:/.test(each))) {
        const [file, anchor] = target.split('#');
        const path = file === '' ? page : join(dirname(page), file);
        expect({ target, exists: existsSync(join(root, path)) }).toEqual({ target, exists: true });
        if (anchor !== undefined) expect(anchors(path)).toContain(anchor);
      }
    },
  );

  it.each(pages.filter((page) => !page.startsWith('docs/methods/') && page !== 'docs/README.md'))(
    '%s is in the index',
    (page) => expect(text('docs/README.md')).toContain(`(${relative('docs', page)})`),
  );

  it.each(errorCodes)('say what to do about %s', (code) => {
    expect(text('docs/troubleshooting.md')).toMatch(
      new RegExp(`^\\| \`${code}\` +\\|.*\\S.*\\|.*\\S.*\\|$`, 'm'),
    );
  });

  it.each(Object.keys(presets.kfac().stats()))('say what %s of stats() is', (field) => {
    const page = text('docs/reading-summary-and-stats.md');
    expect(page).toContain(`  ${field}: `);
    expect(page).toMatch(new RegExp(`^\\| \`${field}\` +\\|.*\\S.*\\|$`, 'm'));
  });

  it.each(Object.entries(DEFAULTS))('say what the option %s is, and its default', (option, value) => {
    const row = text('docs/options.md').match(
      new RegExp(`^\\|.*\`${option}\`.*?\\|([^|]*)\\|.*\\S.*\\|$`, 'm'),
    );
    expect(row).not.toBeNull();
    const shown = row![1].trim().replace(/^`|`$/g, '');
    if (option === 'memoryLimit') expect([shown, value]).toEqual(['2 GiB', 2 ** 31]);
    else expect(runInNewContext(`JSON.stringify(${shown})`)).toBe(JSON.stringify(value));
  });

  it.each(Object.keys(presets))('describe %s, and list it twice', (name) => {
    expect(pages).toContain(`docs/methods/${name}.md`);
    expect(text('docs/methods/README.md')).toContain(`[\`${name}\`](${name}.md)`);
    expect(text('README.md')).toContain(`(docs/methods/${name}.md)`);
  });
});

/** The anchors of the headings of a page, as GitHub makes them. */
function anchors(page: string): string[] {
  return [...text(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => {
    return heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replace(/ /g, '-');
  });
}
