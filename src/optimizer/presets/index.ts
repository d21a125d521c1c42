/** The methods by name: each is a choice of parts and of their defaults. */
export { blockDiagonal } from './blockDiagonal';
export { blockTridiagonal } from './blockTridiagonal';
export { exactNaturalGradient } from './exactNaturalGradient';
export { kfac } from './kfac';
export { mirrorDescent, type MirrorDescentConfig } from './mirrorDescent';
export type { PresetConfig } from './preset';
export { onlineNaturalGradient, type OnlineNaturalGradientConfig } from './onlineNaturalGradient';
export { seng } from './seng';
export { shampoo } from './shampoo';
export { singd } from './singd';
export { sngd } from './sngd';
export { tengrad } from './tengrad';
export { diagonalFisher } from './diagonalFisher';
export { ekfac } from './ekfac';
export { foof } from './foof';
export { quasiDiagonal } from './quasiDiagonal';
export { trustRegion, type TrustRegionConfig } from './trustRegion';
export { unitWise } from './unitWise';
