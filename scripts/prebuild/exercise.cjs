'use strict';

// Computes with a binary and with the reference in TypeScript, in single and double precision, and compares: a test of binaries whose
// processor this machine has not, by another Node in emulation. Needs the TypeScript build.
//   NATGRAD_ADDON=prebuilds/linux-arm64/natgrad.node qemu-aarch64 -L SYSROOT NODE scripts/prebuild/exercise.cjs

const path = require('node:path');

const linalg = require(path.join(__dirname, '..', '..', 'dist', 'linalg'));
const { loadAddon } = require(path.join(__dirname, '..', '..', 'dist', 'linalg', 'loader.js'));

/** Numbers in (-1, 1) from a linear congruential generator (Knuth's MMIX constants, upper bits). */
function randomArray(Type, length, seed) {
  let state = BigInt(seed);
  return Type.from({ length }, () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number(state >> 32n) / 2 ** 31 - 1;
  });
}

/** Largest difference, relative to the largest number of the reference. */
function relativeError(computed, reference) {
  let difference = 0;
  let largest = 0;
  reference.forEach((value, i) => {
    difference = Math.max(difference, Math.abs(value - computed[i]));
    largest = Math.max(largest, Math.abs(value));
  });
  return difference / largest;
}

const jobs = {
  kroneckerFactor: (x, n, options) => linalg.kroneckerFactor({ data: x, columns: n }, options),
  inverse: (x, n, options) => linalg.inverse(moments(x, n), { damping: 0.1, ...options }),
  inverseRoot: (x, n, options) =>
    linalg.inverseRoot(moments(x, n), { p: 4, damping: 0.1, method: 'eigen', ...options }),
  eigenvalues: (x, n, options) => linalg.eigh(moments(x, n), options).values,
};

function moments(x, n) {
  return linalg.kroneckerFactor({ data: x, columns: n }, { backend: 'reference' });
}

const loaded = loadAddon();
if (!loaded.addon) throw new Error(loaded.help);
const { core, simd, blas } = loaded.addon.info();
console.log(`${process.arch}, ${blas}, kernels ${core}, SIMD ${simd}`);
// A plugin that does not load gives another reason than a machine without a driver.
const { reason } = linalg.inspectCuda();
console.log(`CUDA: ${reason || 'there is a device'}`);
if (process.platform === 'linux' && reason !== '' && !/libcuda\.so\.1/.test(reason)) throw new Error(reason);
let worst = 0;
for (const [name, job] of Object.entries(jobs)) {
  for (const [Type, epsilon] of [
    [Float32Array, 2 ** -23],
    [Float64Array, 2 ** -52],
  ]) {
    for (const n of [1, 5, 33, 130]) {
      const x = randomArray(Type, 3 * n * n, n);
      const [computed, reference] = ['cpu', 'reference'].map((backend) => job(x, n, { backend }));
      const units = relativeError(computed, reference) / epsilon;
      worst = Math.max(worst, units);
      console.log(`${name}, ${Type.name}, n = ${n}: ${units.toFixed(1)} units of the last place`);
    }
  }
}
// The largest difference, 114, is that of eigenvalues in float64, on every processor alike.
if (!(worst < 200)) throw new Error(`an error of ${worst} units of the last place`);
