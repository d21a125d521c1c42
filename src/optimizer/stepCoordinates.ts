/**
 * Coordinates other than the weights in which steps of some variables are taken: the dual ones of a mirror map, or those of a curvature
 * block that reparametrises its weights.
 */
import { variableSizes, type CurvatureBlock, type Reparametrisation } from '../curvature/block';
import { allocate, type Precision } from '../curvature/shared/factor';
import { runPhases, type Computer } from '../curvature/phases';
import { NatgradError } from '../errors';
import type { FloatArray } from '../linalg/jobs';
import type { MirrorMap } from '../step/mirrorMap';

/** A variable in the step: its values, its gradient and the direction against which it would go itself. */
export interface Stepping {
  /** Its place among the variables, which a reloaded model repeats. */
  position: number;
  weights: FloatArray;
  gradient: FloatArray;
  direction: FloatArray;
  shape: number[];
  mirrorMap?: MirrorMap;
  /** Where its block has coordinates of its own: the block, and the variable's place in it. */
  member?: { block: CurvatureBlock; index: number };
}

/** What is updated in place of the weights, and by which direction. */
export interface Frame {
  coordinates: FloatArray;
  direction: FloatArray;
}

/** The coordinates of a block's weights since its last refresh. */
interface Held {
  generation: number;
  own: FloatArray[];
  /** The weights that belong to them, as they were written last. */
  weights: FloatArray[];
  positions: number[];
}

export class StepCoordinates {
  private readonly held = new Map<CurvatureBlock, Held>();
  /** Work that turns the updated coordinates into weights. */
  private leaving: (() => void)[] = [];
  /** State that was loaded before the blocks were seen. */
  private saved: Record<string, FloatArray> = {};

  constructor(
    private readonly computer: Computer,
    private readonly precision: Precision,
    private readonly keepsVelocity: boolean,
  ) {}

  /** What to update for each variable. {@link leave} must follow when it is updated. */
  enter(variables: Stepping[]): Frame[] {
    this.leaving = [];
    const frames = variables.map(({ weights, direction }): Frame => ({ coordinates: weights, direction }));
    const blocks = new Map<CurvatureBlock, number[]>();
    variables.forEach(({ weights, shape, mirrorMap, member }, i) => {
      if (mirrorMap) {
        const dual = Float32Array.from(mirrorMap.toDual(weights, shape));
        frames[i].coordinates = dual;
        this.leaving.push(() => weights.set(mirrorMap.toPrimal(dual, weights, shape)));
      } else if (member?.block.reparametrisation && member.block.ready) {
        let places = blocks.get(member.block);
        if (!places) blocks.set(member.block, (places = []));
        places[member.index] = i;
      }
    });
    for (const [block, places] of blocks) {
      const count = variableSizes(block.shape).length;
      const all = Array.from({ length: count }, (_, index) => variables[places[index]]);
      if (all.every((variable) => variable !== undefined)) {
        this.reparametrise(block, all).forEach((frame, index) => (frames[places[index]] = frame));
      } else {
        // Without all of its variables the block's coordinates are not known; the plain update is the same step.
        this.held.delete(block);
      }
    }
    return frames;
  }

  /** Brings the weights up to date with the updated coordinates. */
  leave(): void {
    for (const work of this.leaving) work();
    this.leaving = [];
  }

  private reparametrise(block: CurvatureBlock, variables: Stepping[]): Frame[] {
    const map = block.reparametrisation!;
    if (this.keepsVelocity) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        `'${block.shape.names.join("', '")}' is reparametrised anew by every refresh, which no velocity outlives; ` +
          "set `momentum: null`, or `form: 'update'`.",
      );
    }
    const scratch = () => variables.map(({ weights }) => allocate(this.precision, weights.length));
    const held = this.heldBy(block, map, variables);
    // dL/dw' = G^-1/2 dL/dw
    const directions = scratch();
    const gradients = variables.map(({ gradient }) => inPrecision(gradient, this.precision));
    runPhases(this.computer, map.toWeights(gradients, directions));
    this.leaving.push(() => {
      const weights = scratch();
      runPhases(this.computer, map.toWeights(held.own, weights));
      variables.forEach((variable, i) => {
        variable.weights.set(weights[i]);
        held.weights[i].set(variable.weights);
      });
    });
    return held.own.map((coordinates, i) => ({ coordinates, direction: directions[i] }));
  }

  /**
   * w' of the block; computed from the weights when G has changed, so that they stay what they are, and when somebody else has changed the
   * weights.
   */
  private heldBy(block: CurvatureBlock, map: Reparametrisation, variables: Stepping[]): Held {
    const known = this.held.get(block) ?? this.adopted(block, map.generation(), variables);
    const isCurrent =
      known?.generation === map.generation() &&
      variables.every(({ weights }, i) => known.weights[i].every((value, j) => value === weights[j]));
    if (isCurrent) return known;
    const held: Held = {
      generation: map.generation(),
      own: variables.map(({ weights }) => allocate(this.precision, weights.length)),
      weights: variables.map(({ weights }) => weights.slice()),
      positions: variables.map(({ position }) => position),
    };
    const weights = variables.map((variable) => inPrecision(variable.weights, this.precision));
    runPhases(this.computer, map.toOwn(weights, held.own));
    this.held.set(block, held);
    return held;
  }

  /** What was loaded for a block that is seen for the first time. */
  private adopted(block: CurvatureBlock, generation: number, variables: Stepping[]): Held | undefined {
    const positions = variables.map(({ position }) => position);
    const own = positions.map((position) => this.saved[position]?.slice());
    const belongs = this.saved[`${positions[0]}/generation`]?.[0] === generation;
    if (!belongs || own.some((values, i) => values?.length !== variables[i].weights.length)) return undefined;
    const held = { generation, own, weights: variables.map(({ weights }) => weights.slice()), positions };
    this.held.set(block, held);
    return held;
  }

  /** What a checkpoint must hold: w' by the positions of the variables, and the generation of the first of each block. */
  state(): Record<string, FloatArray> {
    const state: Record<string, FloatArray> = {};
    for (const { generation, own, positions } of this.held.values()) {
      state[`${positions[0]}/generation`] = Float64Array.of(generation);
      own.forEach((values, i) => (state[positions[i]] = values));
    }
    return state;
  }

  /** Takes back what `state` gave; blocks take theirs when they are first seen. */
  load(state: Record<string, FloatArray>): void {
    this.held.clear();
    this.saved = state;
  }
}

function inPrecision(values: FloatArray, precision: Precision): FloatArray {
  const copy = allocate(precision, values.length);
  copy.set(values);
  return copy;
}
