import tseslint from 'typescript-eslint';

const nodeGlobals = Object.fromEntries(
  [
    '__dirname',
    '__filename',
    'AbortSignal',
    'Buffer',
    'console',
    'fetch',
    'globalThis',
    'module',
    'performance',
    'process',
    'require',
  ].map((name) => [name, 'readonly']),
);

const plainRules = {
  eqeqeq: ['error', 'always', { null: 'ignore' }],
  'no-constant-condition': 'error',
  'no-dupe-keys': 'error',
  'no-empty': 'error',
  'no-fallthrough': 'error',
  'no-redeclare': 'error',
  'no-shadow': 'error',
  'no-undef': 'error',
  'no-unreachable': 'error',
  'no-unused-vars': 'error',
  'no-var': 'error',
  'object-shorthand': 'error',
  'prefer-const': 'error',
};

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'dist-bench/',
      'build/',
      'prebuilds/',
      'docs/api/',
      'coverage/',
      '.venv*/',
      '**/node_modules/',
    ],
  },
  {
    files: ['**/*.cjs', '**/*.mjs', '**/*.js'],
    languageOptions: { ecmaVersion: 2023, globals: nodeGlobals },
    rules: plainRules,
  },
  { files: ['**/*.cjs', 'examples/**/*.js'], languageOptions: { sourceType: 'commonjs' } },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
);
