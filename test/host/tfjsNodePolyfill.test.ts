import util from 'node:util';

const utilities = util as unknown as Record<string, unknown>;
const names = ['isNullOrUndefined', 'isArray'];

function importPolyfill(): void {
  jest.isolateModules(() => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    require('../../src/host/tfjsNodePolyfill');
  });
}

describe('natgrad/tfjs-node-polyfill', () => {
  const before = names.map((name) => utilities[name]);
  afterEach(() => {
    names.forEach((name, i) => (utilities[name] = before[i]));
  });

  it('puts back what Node 23 removed, with the answers that Node 20 gives', () => {
    for (const name of names) delete utilities[name];
    importPolyfill();
    const isNullOrUndefined = utilities.isNullOrUndefined as (value: unknown) => boolean;
    const isArray = utilities.isArray as (value: unknown) => boolean;
    // The documentation of `util` in Node 20: "Returns true if the given object is null or undefined", "an Array".
    expect([null, undefined, 0, '', false, {}].map((value) => isNullOrUndefined(value))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    expect([[], [1], {}, new Float32Array(1), 'text'].map((value) => isArray(value))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('leaves alone what is there', () => {
    const own = () => true;
    for (const name of names) utilities[name] = own;
    importPolyfill();
    for (const name of names) expect(utilities[name]).toBe(own);
  });
});
