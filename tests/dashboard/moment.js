// The time of the staged scene, and helpers for all its parts.

/** The time of the scene, in milliseconds. */
export const NOW = Date.UTC(2026, 10, 25, 9, 41, 0);
export const ACCOUNT = '12345678';
export const EPOCH = '6611c9b078ad5';
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

/** Pseudo-random numbers that are the same in every run (a linear congruential generator). */
export function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return Math.floor((state / 4_294_967_296) * below);
  };
}

export const at = (before) => new Date(NOW - before).toISOString();

export const SKILLS = ['billing', 'delivery', 'sales', 'returns', '-1'];
