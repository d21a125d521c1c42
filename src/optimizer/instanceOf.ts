/** The static side of an optimizer class. */
interface OptimizerClass {
  readonly prototype: object;
  readonly className: string;
}

/**
 * What `instanceof` answers for an optimizer class of natgrad.
 *
 * tfjs lets every object that has the methods of an optimizer pass for an instance of `tf.Optimizer`, and so of every class derived from it
 * that does not say otherwise: any optimizer would be an instance of any other. Here the prototypes count; and, since a program can hold
 * several copies of natgrad, the same class of another copy does, by the name that tfjs registers it under.
 *
 * @param asked the right-hand side of `instanceof`: `own`, or a class derived from it
 * @param own the class of natgrad
 */
export function isInstanceOf(asked: OptimizerClass, own: OptimizerClass, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null) return false;
  if (prototype === asked.prototype) return true;
  const { className } = prototype.constructor as Partial<OptimizerClass>;
  return (asked === own && className === own.className) || isInstanceOf(asked, own, prototype);
}
