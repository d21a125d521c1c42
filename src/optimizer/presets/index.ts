/** The methods by name: each is a choice of parts and of their defaults. */
export { kfac } from './kfac';
export { trustRegion, type TrustRegionConfig } from './trustRegion';
