'use strict';

// Before `npm pack`: builds what is packed, and says so if that will be a package without a binary.

const fs = require('node:fs');
const path = require('node:path');

require('./setup.cjs');

const prebuilds = path.join(path.dirname(__dirname), 'prebuilds');
const platforms = fs.existsSync(prebuilds) ? fs.readdirSync(prebuilds) : [];
if (platforms.length === 0) {
  process.stderr.write(
    'prepack: the package has no binary, so that it computes in TypeScript: run `npm run build:prebuild` first, or set NATGRAD_ADDON to ' +
      'build/Release/natgrad.node of this clone where you use it\n',
  );
}
