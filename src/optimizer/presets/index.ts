/** The methods by name: each is a choice of parts and of their defaults. */
export { blockTridiagonal } from './blockTridiagonal';
export { kfac } from './kfac';
export { shampoo } from './shampoo';
export { singd } from './singd';
export { trustRegion, type TrustRegionConfig } from './trustRegion';
