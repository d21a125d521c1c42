/**
 * Callbacks for `model.fit` and `model.fitDataset`, for the optimizers of natgrad and of tfjs.
 *
 * @packageDocumentation
 */
export { learningRateScheduler, type EpochSchedule } from './learningRateScheduler';
export { modelCheckpoint, type CheckpointMoment, type ModelCheckpointConfig } from './modelCheckpoint';
export type { LogFormat } from './logFile';
export type { MonitorConfig } from './monitor';
export { progressBar, type ProgressBarConfig } from './progressBar';
export { reduceLROnPlateau, type ReduceLROnPlateauConfig } from './reduceLROnPlateau';
export { statisticsLogger, type StatisticsLoggerConfig } from './statisticsLogger';
