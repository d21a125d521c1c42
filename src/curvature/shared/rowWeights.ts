/**
 * Means over rows that do not all count alike,
 *
 *     A = sum_r w_r x_r x_r' / sum_r w_r.
 *
 * Rows of equal weight are brought together, and those without weight left out, so that a masked batch gives what the batch without the
 * masked rows gives.
 */
import type { DenseRows, PatchRows } from '../../linalg/jobs';
import { explicitRows } from '../../linalg/reference/rows';
import { rowsOf, type Activation } from '../block';
import { like } from './rowCopies';

/** What all rows count together: how many they are, where they count alike. */
export function totalWeight(activations: readonly Activation[]): number {
  return activations.reduce((sum, activation) => {
    const { weights } = activation;
    return sum + (weights ? weights.reduce((total, weight) => total + weight, 0) : rowsOf(activation));
  }, 0);
}

/** How many rows of equal weight would tell as much: `(sum w)^2 / sum w^2`, the rows that a mask leaves. */
export function effectiveRows(activations: readonly Activation[]): number {
  const total = totalWeight(activations);
  const squares = activations.reduce((sum, activation) => {
    const { weights } = activation;
    return sum + (weights ? weights.reduce((all, weight) => all + weight ** 2, 0) : rowsOf(activation));
  }, 0);
  return squares === 0 ? 0 : total ** 2 / squares;
}

/** Rows of an activation that have one weight. */
export interface EqualRows {
  rows: Activation;
  weight: number;
}

/** The rows of an activation by their weight: copies, unless they all have the same. */
export function byWeight(activation: Activation): EqualRows[] {
  const { weights, ...rows } = activation;
  if (!weights) return [{ rows: activation, weight: 1 }];
  const unit = 'geometry' in rows ? rowsOf(rows) / rows.geometry.batch : 1;
  if ('geometry' in rows && !isConstantOver(weights, unit))
    return byWeight({ ...patchMatrix(rows), weights });
  const places = new Map<number, number[]>();
  for (let at = 0; at < weights.length; at += unit) {
    const weight = weights[at];
    if (weight === 0) continue;
    const known = places.get(weight);
    if (known) known.push(at / unit);
    else places.set(weight, [at / unit]);
  }
  return [...places].map(([weight, chosen]) => ({ rows: pick(rows, chosen), weight }));
}

/** Whether the positions of an image, which stay together, have one weight. */
function isConstantOver(weights: Float32Array, unit: number): boolean {
  return weights.every((weight, at) => weight === weights[at - (at % unit)]);
}

function patchMatrix(patches: PatchRows): DenseRows {
  const { values, rows, columns } = explicitRows(patches);
  const data = like(patches.data, values.length);
  data.set(values);
  return { data, rows, columns };
}

/** Some of the rows, or of the images. */
function pick(rows: Activation, chosen: number[]): Activation {
  if ('indices' in rows) return { indices: Int32Array.from(chosen, (at) => rows.indices[at]) };
  const count = 'geometry' in rows ? rows.geometry.batch : rows.rows;
  if (chosen.length === count) return rows;
  const length = rows.data.length / count;
  const data = rows.data.slice(0, chosen.length * length);
  chosen.forEach((from, to) => data.set(rows.data.subarray(from * length, (from + 1) * length), to * length));
  if ('geometry' in rows) return { data, geometry: { ...rows.geometry, batch: chosen.length } };
  return { data, rows: chosen.length, columns: rows.columns };
}
