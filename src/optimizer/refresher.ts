/**
 * When factors and inverses are computed, and when inverses come into use.
 *
 * With 'overlapped' refresh the arithmetic runs on the linear algebra's own thread while tfjs goes on. It stays deterministic because
 * inverses that are asked for in step t are installed when step t + refreshLag is applied, or before that when the next refresh is asked
 * for, waiting for them if need be: never by when they happen to be ready.
 */
import type { CurvatureBlock } from '../curvature/block';
import { planRefresh, type Refresh } from '../curvature/curvature';
import { isOnlyJobs, runPhases, type Phase } from '../curvature/phases';
import type { FloatArray, Job, Report } from '../linalg/jobs';
import { packReports, unpackReports } from './checkpoint';
import type { ResolvedConfig } from './config';
import type { Placement } from './placement';

/** A refresh on its way. */
interface PendingRefresh {
  /** The step it was asked for in, with which damping, and for how many blocks. */
  step: number;
  lambda: number;
  blocks: number;
  /** Waits for it if need be; null if a device has taken it along, and it is to be done again. */
  result: () => RefreshResult | null;
}

/** A refresh with the reports of its phases. */
interface RefreshResult {
  refresh: Refresh;
  reports: Report[][];
}

/** What a step computes of the curvature. */
interface PlannedStep {
  updates: Phase[];
  refresh: Refresh | null;
}

export class Refresher {
  /** Step in which the inverses in use were asked for; -1 before the first. */
  refreshedAt = -1;
  minEigenvalue = NaN;
  /** Matrices whose inverse could not be computed, over all refreshes. */
  failures = 0;
  /** Matrices that needed float64, more damping or clipped eigenvalues, over all refreshes. */
  retries = 0;

  private pending: PendingRefresh | null = null;

  /**
   * @param blocks all blocks there are; the list may grow
   * @param restart empties the factors of a block whose statistics have overflowed, and lets their average begin anew
   * @param warn called with a message that the user should see once
   */
  constructor(
    private readonly config: ResolvedConfig,
    private readonly placement: Placement,
    private readonly blocks: readonly CurvatureBlock[],
    private readonly restart: (block: CurvatureBlock) => void,
    private readonly warn: (message: string) => void,
  ) {}

  /** Whether inverses were asked for that are not in use yet. */
  get underWay(): boolean {
    return this.pending !== null;
  }

  /**
   * Runs or submits the phases that update the factors, and after them those of a refresh if one is due. Phases between which JavaScript
   * has something to compute run at once, whatever the configuration says.
   *
   * @param update plans the update; called again if a device takes the curvature along for which it was planned
   */
  compute(step: number, lambda: number, update: () => Phase[]): void {
    const isDue = this.due(step);
    let updates = update();
    if (this.losesWhile(() => this.makeWay(isDue))) updates = update();
    const planned = { updates, refresh: isDue ? planRefresh(this.blocks, lambda) : null };
    const atOnce = this.config.refresh === 'immediate' || this.blocks.some((block) => !block.ready);
    if (!atOnce && isOnlyJobs(phasesOf(planned))) {
      this.submit(step, lambda, planned);
      return;
    }
    const conclude = () => {
      this.settle(Infinity);
      this.placement.drain();
    };
    if (this.losesWhile(conclude) || this.losesWhile(() => this.run(step, planned))) {
      this.run(step, { updates: update(), refresh: isDue ? planRefresh(this.blocks, lambda) : null });
    }
  }

  /** Before statistics enter the factors, and maybe a refresh begins. */
  private makeWay(isDue: boolean): void {
    this.placement.concludeFinished();
    this.placement.settle();
    if (!isDue) return;
    // The buffers of the previous refresh are free again only once it is installed.
    this.settle(Infinity);
    this.placement.copyIfDue();
  }

  /** Whether a device takes the curvature along meanwhile, for which something may have been planned. */
  private losesWhile(work: () => void): boolean {
    const { losses } = this.placement;
    work();
    return this.placement.losses > losses;
  }

  private submit(step: number, lambda: number, planned: PlannedStep): void {
    const submitted = this.placement.submit(phasesOf(planned).map(({ jobs }) => jobs));
    if (!planned.refresh) return;
    const result = () => {
      const reports = submitted.wait();
      return reports && resultOf(planned, reports);
    };
    this.pending = { step, lambda, blocks: this.blocks.length, result };
  }

  /** To be called when a step is over: what is done then has the time until the statistics of the next step are there. */
  stepped(): void {
    if (this.pending === null) this.placement.copyIfDue();
  }

  /** Computes all inverses with this damping and brings them into use, here and now. */
  refreshNow(step: number, lambda: number): void {
    this.placement.settle();
    this.settle(Infinity);
    this.install(step, this.refreshed(this.blocks, lambda));
  }

  /** Runs it and installs the inverses, if no device takes the curvature along for which it was planned. */
  private run(step: number, planned: PlannedStep): void {
    const { losses } = this.placement;
    const run = (jobs: Job[][]) => this.placement.run(jobs);
    const runAll = () => runPhases({ run }, phasesOf(planned));
    let reports: Report[][];
    try {
      reports = runAll();
    } catch (error) {
      if (!this.placement.takeOver(error)) throw error;
      if (this.placement.losses > losses) return;
      reports = runAll();
    }
    const result = resultOf(planned, reports);
    if (result) this.install(step, result);
  }

  /** Computes new inverses here and now. */
  private refreshed(blocks: readonly CurvatureBlock[], lambda: number): RefreshResult {
    this.placement.drain();
    const refresh = planRefresh(blocks, lambda);
    return { refresh, reports: runPhases(this.placement, refresh.phases) };
  }

  private resultOf({ blocks, lambda, result }: PendingRefresh): RefreshResult {
    return result() ?? this.refreshed(this.blocks.slice(0, blocks), lambda);
  }

  /**
   * Every `refreshPeriod` steps, and in steps 0, 1, 2, 4, 8 … before the first of those, while the factors still change a lot. A block that
   * has no inverse yet asks for one at once.
   */
  private due(step: number): boolean {
    const period = this.config.refreshPeriod;
    if (this.blocks.some((block) => !block.ready)) return true;
    return step % period === 0 || (step < period && (step & (step - 1)) === 0);
  }

  /**
   * Before the statistics of a step are gathered: installs the inverses that the step will be taken with, and says whether these are
   * known already.
   */
  settleEarly(step: number): boolean {
    if (this.config.refresh === 'immediate' || this.blocks.some((block) => !block.ready)) return false;
    this.settle(this.due(step) ? Infinity : step);
    return true;
  }

  /** Installs the inverses that are to come into use by step `step`, waiting for them. */
  settle(step: number): void {
    if (this.pending === null || this.pending.step + this.config.refreshLag > step) return;
    const { pending } = this;
    this.pending = null;
    this.install(pending.step, this.resultOf(pending));
  }

  /** Waits for all submitted work, so that its buffers may be read. */
  drain(): void {
    this.placement.drain();
  }

  private install(step: number, { refresh, reports }: RefreshResult): void {
    const { failures, retries, minEigenvalue, overflowed } = refresh.install(reports);
    this.failures += failures;
    this.retries += retries;
    this.minEigenvalue = minEigenvalue;
    this.refreshedAt = step;
    if (overflowed.length > 0) {
      this.placement.recall();
      overflowed.forEach(this.restart);
    }
    this.placement.refreshed();
    if (failures > 0) {
      this.warn(
        `${failures} factor(s) could not be inverted; their previous inverses stay in use. Raise the damping if this goes on.`,
      );
    }
  }

  /** What a checkpoint must hold beside the blocks' own arrays. */
  state(): Record<string, FloatArray> {
    const state: Record<string, FloatArray> = { refreshedAt: Float64Array.of(this.refreshedAt) };
    if (this.pending) {
      const { step, lambda, blocks } = this.pending;
      const done = this.resultOf(this.pending);
      this.pending.result = () => done;
      state.pendingRefresh = Float64Array.of(step, lambda, blocks);
      state.pendingReports = packReports(done.reports.flat());
    }
    return state;
  }

  /** Takes back what `state` gave. A refresh that was under way is installed when its time comes; the blocks hold its results by then. */
  load(state: Record<string, FloatArray>): void {
    [this.refreshedAt] = state.refreshedAt ?? [-1];
    if (!state.pendingRefresh) return;
    const [step, lambda, blocks] = state.pendingRefresh;
    const flat = unpackReports(state.pendingReports);
    const result = () => {
      if (this.placement.losses > 0) return null;
      const refresh = planRefresh(this.blocks.slice(0, blocks), lambda);
      let begin = 0;
      const reports = refresh.phases.map(({ jobs }) => flat.slice(begin, (begin += jobs.length)));
      return { refresh, reports };
    };
    this.pending = { step, lambda, blocks, result };
  }
}

function phasesOf({ updates, refresh }: PlannedStep): Phase[] {
  return [...updates, ...(refresh?.phases ?? [])];
}

/** Of the refresh, if there was one. */
function resultOf({ updates, refresh }: PlannedStep, reports: Report[][]): RefreshResult | null {
  return refresh && { refresh, reports: reports.slice(updates.length) };
}
