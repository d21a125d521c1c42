import { matchesName, namePatterns, restorePattern, savePattern, type NamePattern } from '../src/names';

const names = [
  'dense_1/kernel',
  'dense_1/bias',
  'dense1/bias',
  'a.b/kernel',
  'axb/kernel',
  'LAYER_NORM/gamma',
  'x\\_y',
];

describe('matchesName', () => {
  it('takes a string literally and anywhere in the name', () => {
    expect(names.filter((name) => matchesName('a.b', name))).toEqual(['a.b/kernel']);
    expect(names.filter((name) => matchesName('/bias', name))).toEqual(['dense_1/bias', 'dense1/bias']);
  });

  it('answers the same every time for global and sticky expressions', () => {
    for (const pattern of [/bias/g, /dense/y]) {
      for (let time = 0; time < 3; time++) expect(matchesName(pattern, 'dense_1/bias')).toBe(true);
    }
  });
});

describe('namePatterns', () => {
  it('makes a list of one, several or no patterns', () => {
    expect(namePatterns(undefined, 'exclude')).toEqual([]);
    expect(namePatterns('bias', 'exclude')).toEqual(['bias']);
    expect(namePatterns(['bias', /gamma/], 'exclude')).toEqual(['bias', /gamma/]);
  });
});

describe('savePattern', () => {
  it.each<NamePattern>([
    'dense_1',
    'a.b',
    '/bias',
    'x\\_y',
    /^dense_\d/,
    /layer_norm/i,
    /[_]1/,
    /\\_/,
    /\_1/,
  ])('saves %s as JSON without underscores that picks the same names', (pattern) => {
    const saved = JSON.stringify(savePattern(pattern, 'exclude'));
    expect(saved).not.toContain('_');
    const restored = restorePattern((JSON.parse(saved) as unknown[])[0]);
    expect(names.map((name) => matchesName(restored, name))).toEqual(
      names.map((name) => matchesName(pattern, name)),
    );
    expect(names.some((name) => matchesName(restored, name))).toBe(true);
  });

  it('says that a function cannot be saved', () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    expect(savePattern(() => true, 'exclude')).toEqual([]);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('exclude is a function'));
    warn.mockRestore();
  });
});
