// Events with the semantics of Node's EventEmitter, and what happens to listeners that fail.

import { EventEmitter } from 'node:events';

/** Calls listeners. An error of a listener, thrown or as a rejected promise, goes to `_failed`. */
export class Emitter extends EventEmitter {
  constructor() {
    super({ captureRejections: true });
  }

  /** @param {unknown} error */
  [Symbol.for('nodejs.rejection')](error) {
    this._failed(error);
  }

  /**
   * Calls the listeners of an event. The caller continues when a listener throws.
   *
   * @param {string} name
   * @param {...unknown} values
   * @returns {boolean} whether the event has listeners
   */
  _dispatch(name, ...values) {
    try {
      return this.emit(name, ...values);
    } catch (error) {
      this._failed(error);
      return true;
    }
  }

  /**
   * Without another place to report the error, the process ends with it, as with any listener.
   *
   * @param {unknown} error
   */
  _failed(error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

/**
 * Emits an event at the highest level that has a listener for it, and only there: connection, conversation, dialog.
 *
 * @param {readonly { emitter: Emitter, name: string, payload: unknown[] }[]} levels from the highest
 */
export function bubble(levels) {
  const taken = levels.find(({ emitter, name }) => emitter.listenerCount(name) > 0);
  taken?.emitter._dispatch(taken.name, ...taken.payload);
}
