/**
 * Where the curvature of one optimizer is computed: on the processor, or on a device, whose place the processor takes if it fails.
 *
 * Weights live on the host, and what only meets them is computed there, so a device that fails cannot harm them.
 */
import type { CurvatureBlock } from '../curvature/block';
import { NatgradError } from '../errors';
import { cudaKernels } from '../linalg/cuda';
import { crowded } from '../linalg/deviceRoom';
import type { Job, Kernels, Pending, Report } from '../linalg/jobs';
import { kernels } from '../linalg/kernels';
import type { ResolvedConfig } from './config';
import { Residence } from './residence';
import { residentBytes, worthADevice } from './worthADevice';

/** Beside what is kept, jobs need room on the device for their arguments and workspace. */
const ROOM_FACTOR = 2;

/** Work that was handed to the thread of the linear algebra. */
export interface Submitted {
  /** Its reports; null if a device failed since, and what the processor has now is older than this work. */
  wait(): Report[][] | null;
}

interface InFlight {
  pending: Pending;
  onDevice: boolean;
  /** To be called when it is done, unless the device was lost. */
  done?: () => void;
}

export class Placement {
  /** What computes on the host. */
  readonly host: Kernels;

  /** How often the curvature went back to a copy. */
  losses = 0;

  private active: Kernels;
  private residence: Residence | null;
  private inFlight: InFlight[] = [];
  /** Whether 'auto' has decided. */
  private isChosen = false;
  private hasTakenOver = false;
  /** Whether new inverses are in use of which the host has no copy yet. */
  private isCopyDue = false;

  /**
   * @param blocks all blocks there are; the list may grow
   * @param warn called with a message that the user should see once
   * @throws as `kernels` of `natgrad/linalg`
   */
  constructor(
    private readonly config: ResolvedConfig,
    private readonly blocks: readonly CurvatureBlock[],
    private readonly warn: (message: string) => void,
  ) {
    this.active = kernels(config.backend);
    this.host = this.active.memory ? kernels('cpu') : this.active;
    this.residence = this.active.memory ? new Residence(this.active.memory) : null;
  }

  /** What computes now. */
  get name(): Kernels['name'] {
    return this.active.name;
  }

  /** Decides for 'auto', once the first blocks are known, whether a device computes. */
  choose(): void {
    if (this.isChosen || this.config.backend !== 'auto' || this.host.name !== 'cpu') return;
    this.isChosen = true;
    if (!worthADevice(this.blocks, this.config.refreshPeriod)) return;
    try {
      const device = cudaKernels();
      const room = device.memory!.room();
      const needed = ROOM_FACTOR * residentBytes(this.blocks);
      if (room.free < needed) {
        this.warn(
          `The processor computes the curvature, not the CUDA device, of which ${crowded(needed, room)}.`,
        );
        return;
      }
      this.active = device;
      this.residence = new Residence(device.memory!);
    } catch (error) {
      // 'auto' does without what is not there.
      if (!(error instanceof NatgradError)) throw error;
      if (error.code === 'ERR_NATGRAD_NO_MEMORY') {
        this.warn(`The processor computes the curvature: ${error.message}.`);
      }
    }
  }

  /**
   * Runs jobs whose arrays no submitted work uses.
   *
   * @throws NatgradError ERR_NATGRAD_DEVICE if the device was lost
   */
  run(phases: Job[][]): Report[][] {
    const reports = this.active.run(phases);
    if (this.residence) throwIfLost(reports);
    return reports;
  }

  /** Hands jobs to the thread of the linear algebra. */
  submit(phases: Job[][]): Submitted {
    const { losses } = this;
    const work = { pending: this.active.submit(phases), onDevice: this.residence !== null };
    this.inFlight.push(work);
    return {
      wait: () => {
        const last = this.inFlight.indexOf(work);
        this.conclude((_, i) => i <= last);
        return losses === this.losses ? work.pending.wait() : null;
      },
    };
  }

  /**
   * Hands jobs to another thread, which nothing long keeps busy, or returns null where a device computes: it would have to be waited for
   * anyway.
   */
  submitSoon(phases: Job[][]): Submitted | null {
    if (this.residence !== null) return null;
    const work = { pending: this.active.submit(phases, { soon: true }), onDevice: false };
    this.inFlight.push(work);
    return {
      wait: () => {
        this.conclude((other) => other === work);
        return work.pending.wait();
      },
    };
  }

  /** Looks at the submitted work that is done by now, without waiting. */
  concludeFinished(): void {
    this.conclude(({ pending }) => pending.finished);
  }

  /** Waits for all submitted work, so that its buffers may be read. */
  drain(): void {
    this.conclude(() => true);
  }

  /** Waits for some of the work under way, and looks whether a device has failed in it. */
  private conclude(isMeant: (work: InFlight, index: number) => boolean): void {
    const meant = this.inFlight.filter(isMeant);
    this.inFlight = this.inFlight.filter((work) => !meant.includes(work));
    for (const { pending, onDevice, done } of meant) {
      const reports = pending.wait();
      if (!onDevice) continue;
      this.attempt(() => {
        throwIfLost(reports);
        done?.();
      });
    }
  }

  /** Brings to the device what is to stay there, before jobs are run. */
  settle(): void {
    if (!this.residence?.isOutdated(this.blocks)) return;
    this.drain();
    // What cannot be brought there leaves the rest as it is.
    this.attempt(() => this.residence?.update(this.blocks), { isIntact: true });
  }

  /** To be called when new inverses have come into use. */
  refreshed(): void {
    this.isCopyDue = true;
  }

  /**
   * After a refresh, has the curvature copied to the host on the thread of the linear algebra: block by block, so that nobody has to wait
   * for all of it. There must be no refresh under way.
   */
  copyIfDue(): void {
    if (!this.residence || !this.isCopyDue) return;
    this.isCopyDue = false;
    this.drain();
    // The device may just have been found lost.
    if (!this.residence) return;
    const { jobs, accept } = this.residence.copyJobs();
    jobs.forEach((ofBlock, i) => {
      const done = i === jobs.length - 1 ? accept : undefined;
      this.inFlight.push({ pending: this.active.submit([ofBlock]), onDevice: true, done });
    });
  }

  /** Brings the curvature to the host, where it may be read and written until the next `settle`. */
  recall(): void {
    this.drain();
    this.attempt(() => this.residence?.recall());
  }

  /** Frees the memory of the device. */
  dispose(): void {
    this.drain();
    this.residence?.forget();
  }

  private attempt(work: () => void, state?: { isIntact: boolean }): void {
    try {
      work();
    } catch (error) {
      if (!this.takeOver(error, state)) throw error;
    }
  }

  /**
   * After an error: whether the processor has taken the place of a device that failed, so that the work can be done again.
   *
   * @param isIntact whether the failure left the curvature as it was, if it can still be read; else it becomes what was copied last
   */
  takeOver(error: unknown, { isIntact = false } = {}): boolean {
    if (!isDeviceFailure(error) || !this.isChosen) return false;
    const { residence } = this;
    if (!residence) return this.hasTakenOver;
    this.residence = null;
    this.active = this.host;
    this.hasTakenOver = true;
    this.drain();
    if ((isIntact || residence.isEmpty) && recalled(residence)) {
      this.warn(`The processor goes on with the curvature: ${error.message}`);
      return true;
    }
    residence.restore();
    this.losses++;
    this.warn(
      'The processor goes on with the curvature as it was copied after one of the last two refreshes; weights and velocities are what they ' +
        `were. ${error.message}`,
    );
    return true;
  }
}

function isDeviceFailure(error: unknown): error is NatgradError {
  return (
    error instanceof NatgradError && ['ERR_NATGRAD_DEVICE', 'ERR_NATGRAD_NO_MEMORY'].includes(error.code)
  );
}

function recalled(residence: Residence): boolean {
  try {
    residence.recall();
    return true;
  } catch (error) {
    if (isDeviceFailure(error)) return false;
    throw error;
  }
}

/** What a device has too little memory for, its back end does on the processor, so that running out of it is no failure of a job. */
function throwIfLost(reports: Report[][]): void {
  if (reports.flat().some(({ status }) => status === 'deviceLost')) {
    throw new NatgradError(
      'ERR_NATGRAD_DEVICE',
      "The CUDA device was lost, and what it held of the curvature; go on from a checkpoint in a new process, or use backend: 'auto'.",
    );
  }
}
