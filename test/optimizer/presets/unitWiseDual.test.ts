import { unitWise } from '../../../src';
import { testPreset } from './sharedTests';

describe('unitWise in dual form', () => {
  testPreset((config) => unitWise({ ...config, form: 'dual', window: 64 }), 'unit-wise, dual');
});
