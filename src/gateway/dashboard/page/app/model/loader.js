// Reads one list or object from the gateway: when, how often at most, and with what outcome.

/** The pause before another attempt if the service was unreachable or busy. */
const AGAIN_AFTER = 5000;

/** Reads by `load(signal)` when asked to, never twice at a time and never more often than `least` milliseconds. */
export class Loader {
  #load;
  #least;
  #timer = null;
  #due = Infinity;
  #running = null;
  #again = false;
  #closed = false;
  #began = -Infinity;
  #onChange;

  /** Whether anything was ever read. */
  loaded = false;
  /** The problem of the last reading; null if it succeeded. */
  problem = null;
  /** When it was last read. */
  at = null;

  constructor(load, { least = 1000, onChange }) {
    this.#load = load;
    this.#least = least;
    this.#onChange = onChange;
  }

  /** Whether a reading is in progress. */
  get reading() {
    return this.#running !== null;
  }

  /** Reads as soon as the least interval allows. */
  request() {
    if (this.#closed) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#plan(this.#began + this.#least);
  }

  /** Aborts the current reading, because something else is wanted, and reads at once. */
  restart() {
    this.#stop();
    this.#began = -Infinity;
    this.request();
  }

  /** Forgets the data and aborts the current reading, because the user may no longer see it. */
  forget() {
    this.#stop();
    this.#began = -Infinity;
    this.loaded = false;
    this.problem = null;
  }

  /** Stops for good: a reading in progress keeps no reference to the listener. */
  close() {
    this.#closed = true;
    this.#stop();
  }

  #stop() {
    this.#running?.abort();
    this.#running = null;
    clearTimeout(this.#timer);
    this.#due = Infinity;
  }

  #plan(at) {
    if (this.#due <= at) return;
    clearTimeout(this.#timer);
    this.#due = at;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, at - performance.now()));
  }

  /** Called when a part of the data can be shown already. */
  partly() {
    this.loaded = true;
    this.problem = null;
    this.#onChange();
  }

  async #run() {
    this.#due = Infinity;
    const running = new AbortController();
    this.#running = running;
    this.#again = false;
    this.#began = performance.now();
    try {
      await this.#load(running.signal);
      if (running.signal.aborted) return;
      this.loaded = true;
      this.problem = null;
      this.at = Date.now();
    } catch (problem) {
      if (running.signal.aborted) return;
      this.problem = problem;
    }
    this.#running = null;
    this.#onChange();
    if (this.#again) this.request();
    else if (isPassing(this.problem)) this.#plan(performance.now() + AGAIN_AFTER);
  }
}

/** Whether another attempt may succeed: no response arrived, or the service was busy or failed. */
function isPassing(problem) {
  return problem !== null && (problem.status === 0 || problem.status === 429 || problem.status >= 500);
}
