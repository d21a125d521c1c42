/**
 * The numbers 0 to count - 1 in an order that depends on the seed and the epoch alone.
 *
 * Durstenfeld's shuffle (CACM 7(7), 1964, algorithm 235) fed by a 32-bit xorshift generator with the shifts 13, 17, 5
 * (Marsaglia, "Xorshift RNGs", 2003, section 4).
 */
export function shuffledOrder(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  // An odd multiplier separates the epochs; the generator only must not start at zero, where it would stay.
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca6b)) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 16; i++) next(); // Nearby seeds give nearby first numbers.
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
