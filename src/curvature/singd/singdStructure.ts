/** Inverse-free Kronecker factors as a structure that a user can choose, for the layers that K-FAC is for. */
import { factoredOptions, whyNotKroneckerFactored } from '../kronecker/factoredLayer';
import { count, numberFrom, oneOf } from '../optionChecks';
import { SingdBlock, type SingdSettings } from './singd';
import type { Structure } from '../structure';

export const singd: Structure<SingdSettings> = {
  options: {
    kfacLike: oneOf(true, false),
    factors: oneOf('dense', 'diagonal', 'blockDiagonal', 'triangular'),
    factorBlockSize: count,
    factorLearningRate: numberFrom(0),
    factorMomentum: numberFrom(0, 1),
    normalize: oneOf(true, false),
  },
  obstacle: whyNotKroneckerFactored,
  block: (layer, common, own) => new SingdBlock({ ...own, ...factoredOptions(layer, common) }),
};
