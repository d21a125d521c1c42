import { createRequire } from 'node:module';

const requireModule = createRequire(__filename);

/** Version of an installed npm package; of this one by its own name. Undefined if it is not installed. */
export function packageVersion(name: string): string | undefined {
  try {
    return (requireModule(`${name}/package.json`) as { version: string }).version;
  } catch {
    return undefined;
  }
}
