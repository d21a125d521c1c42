/** Models in files: without tfjs-node, in its layout, and never half written. */
export { fileHandler } from './fileHandler';
export { restoreModel, saveModel, type SaveModelConfig } from './savedModel';
