// Time limits, pauses and signals.

/**
 * The functions that are called when a signal aborts. Each signal has one listener, because Node warns of signals with
 * more than ten.
 *
 * @type {WeakMap<AbortSignal, Set<() => void>>}
 */
const called = new WeakMap();

/**
 * Calls a function when a signal aborts, or at once if it has aborted.
 *
 * @param {AbortSignal} signal
 * @param {() => void} act
 * @returns {() => void} takes the function back
 */
export function onAbort(signal, act) {
  if (signal.aborted) {
    act();
    return () => {};
  }
  let all = called.get(signal);
  if (all === undefined) {
    const acts = new Set();
    all = acts;
    called.set(signal, acts);
    signal.addEventListener('abort', () => [...acts].forEach((each) => each()), { once: true });
  }
  const acts = all;
  acts.add(act);
  return () => void acts.delete(act);
}

/**
 * Links several signals and a time limit to one signal.
 *
 * @param {readonly (AbortSignal | undefined)[]} signals
 * @param {number} [limit] in milliseconds
 * @param {() => unknown} [reason] the reason when the time limit has passed
 * @returns {{ signal: AbortSignal, release: () => void }} `release` frees the timer and what waits for the signals
 */
export function linked(signals, limit, reason) {
  const controller = new AbortController();
  const given = signals.filter((signal) => signal !== undefined);
  const undo = given.map((signal) => onAbort(signal, () => controller.abort(signal.reason)));
  if (limit !== undefined) {
    const timer = setTimeout(() => controller.abort(reason?.()), limit);
    undo.push(() => clearTimeout(timer));
  }
  return { signal: controller.signal, release: () => undo.forEach((each) => each()) };
}

/**
 * Waits. Returns early if the signal aborts.
 *
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      forget();
      resolve();
    };
    let forget = () => {};
    const timer = setTimeout(end, milliseconds);
    if (signal !== undefined) forget = onAbort(signal, end);
  });
}
