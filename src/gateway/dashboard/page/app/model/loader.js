// One list or object that is read from the gateway: when, how often at most, and what came of it.

/** What was not read because the service was away or busy is read again after so long. */
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
  /** What went wrong the last time; null if nothing did. */
  problem = null;
  /** When it was last read. */
  at = null;

  constructor(load, { least = 1000, onChange }) {
    this.#load = load;
    this.#least = least;
    this.#onChange = onChange;
  }

  /** Whether it is being read just now. */
  get reading() {
    return this.#running !== null;
  }

  /** Reads as soon as it may. */
  request() {
    if (this.#closed) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#plan(this.#began + this.#least);
  }

  /** Forgets what is being read, because something else is wanted, and reads at once. */
  restart() {
    this.#stop();
    this.#began = -Infinity;
    this.request();
  }

  /** Forgets what was read and what is being read, because nobody may see it any more. */
  forget() {
    this.#stop();
    this.#began = -Infinity;
    this.loaded = false;
    this.problem = null;
  }

  /** Reads no more: nothing that is on its way holds whoever was told of it. */
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

  /** There is something to show already, though not all of it. */
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

/** Whether it may be better by itself: there was no answer, or the service was busy or failed. */
function isPassing(problem) {
  return problem !== null && (problem.status === 0 || problem.status === 429 || problem.status >= 500);
}
