// Node 23 removed two functions of `util` that tfjs-node 4.22 calls in every operation. Importing this module before tfjs-node puts them
// back, only where they are missing: `require('natgrad/tfjs-node-polyfill')`. It has no exports and changes nothing in older versions.

import util from 'node:util';

const utilities = util as unknown as Record<string, unknown>;
utilities.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
utilities.isArray ??= Array.isArray;
