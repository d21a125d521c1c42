import { unitWise } from '../../../src';
import { testPreset } from '../../support/presetSuite';

describe('unitWise in dual form', () => {
  testPreset((config) => unitWise({ ...config, form: 'dual', window: 64 }), { structure: 'unit-wise, dual' });
});
