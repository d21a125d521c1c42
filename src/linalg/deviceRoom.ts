/** How a sentence about a device with too little memory ends: what it has, and who may have the rest. */
export function crowded(needed: number, { free, total }: { free: number; total: number }): string {
  return `${megabytes(needed)} are needed and ${megabytes(free)} of ${megabytes(total)} are free${whoHasTheRest()}`;
}

/** Who is most likely to have the memory of a device, as the end of a sentence; empty where it is not TensorFlow. */
export function whoHasTheRest(): string {
  if (process.env.TF_FORCE_GPU_ALLOW_GROWTH === 'true') return '';
  return (
    '; TensorFlow takes nearly all memory of a device for itself unless TF_FORCE_GPU_ALLOW_GROWTH=true is in the environment before ' +
    '@tensorflow/tfjs-node-gpu is loaded'
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 3 : 0)} MiB`;
}
