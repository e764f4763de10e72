// What one client has heard, and waiting until it has heard something.

/** The longest that anything is waited for, in milliseconds. */
export const DEADLINE = 10_000;

/** Notifications in the order in which they came. Nothing is consumed: what was heard stays heard. */
export class Hearing {
  #heard = [];
  #waiting = new Set();

  tell(notification) {
    this.#heard.push(notification);
    for (const look of this.#waiting) look(notification);
  }

  /** Everything heard so far. */
  all() {
    return [...this.#heard];
  }

  /** The first truthy answer of `find` to a notification that came or comes; `what` names it in the failure. */
  until(what, find) {
    for (const notification of this.#heard) {
      const found = find(notification);
      if (found) return Promise.resolve(found);
    }
    return new Promise((resolve, reject) => {
      const look = (notification) => {
        const found = find(notification);
        if (found) settle(() => resolve(found));
      };
      const late = setTimeout(() => {
        const types = this.#heard.map(({ type }) => type).join(', ') || 'nothing';
        settle(() => reject(new Error(`never heard: ${what}; heard: ${types}`)));
      }, DEADLINE);
      const settle = (outcome) => {
        clearTimeout(late);
        this.#waiting.delete(look);
        outcome();
      };
      this.#waiting.add(look);
    });
  }

  /** Forgets everything, so that only what comes from now on counts. */
  forget() {
    this.#heard = [];
  }
}
