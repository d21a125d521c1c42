/** The methods by name: each is a choice of parts and of their defaults. */
export { blockTridiagonal } from './blockTridiagonal';
export { kfac } from './kfac';
export { shampoo } from './shampoo';
export { singd } from './singd';
export { blockDiagonal } from './blockDiagonal';
export { exactNaturalGradient } from './exactNaturalGradient';
export { seng } from './seng';
export { tengrad } from './tengrad';
export { diagonalFisher } from './diagonalFisher';
export { ekfac } from './ekfac';
export { foof } from './foof';
export { quasiDiagonal } from './quasiDiagonal';
export { trustRegion, type TrustRegionConfig } from './trustRegion';
export { unitWise } from './unitWise';
