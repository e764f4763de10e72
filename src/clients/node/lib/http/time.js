// Time limits, pauses and signals.

/**
 * Links several signals and a time limit to one signal.
 *
 * @param {readonly (AbortSignal | undefined)[]} signals
 * @param {number} [limit] in milliseconds
 * @param {() => unknown} [reason] the reason when the time limit has passed
 * @returns {{ signal: AbortSignal, release: () => void }} `release` frees the timer and the listeners
 */
export function linked(signals, limit, reason) {
  const controller = new AbortController();
  /** @type {(() => void)[]} */
  const undo = [];
  for (const signal of signals) {
    if (signal === undefined) continue;
    const abort = () => controller.abort(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    undo.push(() => signal.removeEventListener('abort', abort));
  }
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
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end);
  });
}
