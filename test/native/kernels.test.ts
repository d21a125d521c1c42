import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(__dirname, '..', '..', 'native', 'cuda');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the compiled kernels of the CUDA back end', () => {
  // The order in which native/cuda/generateKernels.cmake hashes them.
  const headers = readdirSync(join(folder, 'kernels')).map((name) => `kernels/${name}`);
  const sources = ['kernels.cu', 'kernelList.h', ...headers.sort()];

  it('are those of the sources; where they are not, a build on a machine with nvcc renews them', () => {
    const [first] = read('kernels.ptx.inc').split('\n', 1);
    expect(first).toBe(`// ${hashOf(sources.map((name) => `${hashOf(read(name))}\n`).join(''))}`);
  });

  it('ask for no newer driver than that of CUDA 10, so that all of CUDA 11 has one', () => {
    expect(read('kernels.ptx.inc')).toMatch(/^\.version 6\.3\n\.target sm_75$/m);
  });

  it('hold a function for every kernel of the list', () => {
    const text = read('kernels.ptx.inc');
    const functions = text.match(/^\.visible \.entry \w+/gm) ?? [];
    // 18 kernels in two precisions, three in the four pairs of them, and three others.
    expect(functions).toHaveLength(18 * 2 + 3 * 4 + 3);
  });
});
