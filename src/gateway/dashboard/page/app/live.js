// Whether the page shows the current state: the word beside the service's name.

import { setAttribute } from './dom.js';
import { timeOfDay } from './format.js';
import { setState, stateElement } from './states.js';

/** A state must last this long before the word changes. */
const PATIENCE = 700;

export class Live {
  #element = stateElement();
  #stream = 'connecting';
  #detail = null;
  #before = null;
  #problem = null;
  #answeredAt = null;
  #since = performance.now();
  #wasLive = false;

  constructor(place) {
    place.append(this.#element);
    this.tick();
  }

  /** Called when the event stream's state changes. */
  stream(state, detail = null) {
    if (this.#stream !== state && this.#stream !== 'connecting') this.#before = this.#stream;
    if (state === 'live') {
      this.#before = null;
      this.#wasLive = true;
    }
    if ((state === 'live') !== (this.#stream === 'live')) this.#since = performance.now();
    this.#stream = state;
    this.#detail = detail;
    this.tick();
  }

  /** Called with the outcome of each request for the overview. */
  answered(problem) {
    this.#problem = problem;
    if (!problem) this.#answeredAt = Date.now();
    this.tick();
  }

  /** Whether the stream was in this state before the latest attempt. */
  was(state) {
    return this.#before === state || this.#stream === state;
  }

  /** Whether the service answers: "up", "away", or "locked" if the service requires a token. */
  state() {
    if (this.#problem === null) return 'up';
    return this.#problem.status === 401 ? 'locked' : 'away';
  }

  tick() {
    const [word, tone, title] = this.#words();
    setState(this.#element, [word, tone]);
    setAttribute(this.#element, 'title', title);
    setAttribute(document.documentElement, 'data-live', tone === 'good' ? null : tone);
  }

  #words() {
    const last = this.#answeredAt ? `. What is shown is from ${timeOfDay(this.#answeredAt)}` : '';
    if (this.state() === 'locked' || this.#stream === 'refused')
      return ['Locked', 'warn', 'The service asks for a token'];
    if (this.#stream === 'live' && this.state() === 'up') return ['Live', 'good', 'Events arrive as they happen'];
    if (this.#answeredAt === null && this.state() === 'up') return ['Connecting', 'idle', ''];
    if (performance.now() - this.#since < PATIENCE)
      return this.#wasLive ? ['Live', 'good', ''] : ['Connecting', 'idle', ''];
    const seconds = this.#stream === 'waiting' ? Math.ceil((this.#detail - Date.now()) / 1000) : 0;
    return [
      'Reconnecting',
      'warn',
      `The service does not answer${seconds > 0 ? `; next attempt in ${seconds} s` : ''}${last}`,
    ];
  }
}
