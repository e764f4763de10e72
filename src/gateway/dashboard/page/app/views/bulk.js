// The bulk jobs: their progress, and buttons to pause, resume or cancel them.

import { el, reconcile, setAttribute, setText } from '../dom.js';
import { absolute, count, cut, millis, short } from '../format.js';
import { Action } from '../parts/action.js';
import { Place } from '../parts/notice.js';
import { sentence, setState, stateElement } from '../states.js';
import { setTime, timeElement } from '../times.js';

const EMPTY = ['No bulk jobs', 'POST /v1/bulk closes or transfers many conversations. Jobs are kept for a week.'];
const STATES = {
  matching: ['Matching', 'warn'],
  running: ['Running', 'good'],
  paused: ['Paused', 'held'],
  finished: ['Finished', 'idle'],
  cancelled: ['Cancelled', 'idle'],
  failed: ['Failed', 'bad'],
};
const ENDED = new Set(['finished', 'cancelled', 'failed']);
const EVERY = 2000;
const EVERY_IDLE = 15_000;

export class BulkView {
  title = 'Bulk jobs';
  element;
  #model;
  #list;
  #place;
  #total;

  constructor(model) {
    this.#model = model;
    this.#list = el('ul', { class: 'letters' });
    this.#total = el('span', { class: 'total', role: 'status' });
    this.#place = new Place(el('div', { class: 'scroll' }, this.#list));
    this.element = el(
      'section',
      { class: 'view bulk', 'aria-label': 'Bulk jobs' },
      el(
        'div',
        { class: 'bar' },
        el('h1', { tabindex: -1, text: 'Bulk jobs' }),
        this.#total,
        el('p', { class: 'lead', text: 'One operation on many conversations, once on each, at a limited rate.' }),
      ),
      this.#place.element,
    );
  }

  show() {
    this.#model.bulk.loader.request();
  }

  hide() {}

  /** Called once a second. */
  tick() {
    const { loader, jobs } = this.#model.bulk;
    const every = jobs.some(({ state }) => !ENDED.has(state)) ? EVERY : EVERY_IDLE;
    if (loader.loaded && Date.now() - loader.at > every) loader.request();
  }

  render() {
    const { jobs, loader } = this.#model.bulk;
    setText(this.#total, loader.loaded ? count(jobs.length) : '');
    this.#place.settle(loader, jobs.length === 0, EMPTY);
    reconcile(
      this.#list,
      jobs,
      ({ id }) => id,
      (job) => this.#job(job),
      (element, job) => this.#update(element.shown, job),
    );
  }

  #job({ id, operation, arguments: given, filter, listed }) {
    const { bulk, announce } = this.#model;
    const shown = {
      state: stateElement(),
      bar: el('progress', { max: 1, 'aria-label': `Progress of job ${id}` }),
      told: el('span'),
      when: timeElement({ class: 'row-time' }),
      pause: new Action({
        label: 'Pause',
        isTerse: true,
        describe: `Pause or resume job ${id}`,
        announce,
        act: async () => {
          const [act, done] = shown.is === 'paused' ? ['resume', 'Resumed'] : ['pause', 'Paused'];
          await bulk.act(id, act);
          return done;
        },
      }),
      cancel: new Action({
        label: 'Cancel',
        describe: `Cancel job ${id}`,
        done: 'Cancelled',
        announce,
        confirm: () => 'Really cancel?',
        act: () => bulk.act(id, 'cancel'),
      }),
    };
    const which = listed ? `${count(listed)} listed conversations` : 'conversations';
    const element = el(
      'li',
      { class: 'letter panel' },
      el(
        'div',
        { class: 'letter-head' },
        shown.state,
        el('b', { text: `${sentence(operation)}${words(given)}` }),
        el('span', { class: 'id muted', title: id, text: short(id) }),
        shown.when,
        el('span', { class: 'letter-actions' }, shown.pause.element, shown.cancel.element),
      ),
      el('p', { class: 'muted', text: cut(`Of ${which}${words(filter)}`, 200) }),
      el('div', { class: 'job-progress' }, shown.bar, shown.told),
    );
    element.shown = shown;
    return element;
  }

  #update(shown, job) {
    const { state: is, failure, created, ended, estimatedEnd, rate } = job;
    const { matched, done, refused, unknown, left, inFlight } = job;
    shown.is = is;
    const [word, tone] = STATES[is] ?? [sentence(is), 'idle'];
    setState(shown.state, [failure ? `${word}: ${sentence(failure).toLowerCase()}` : word, tone]);
    const settled = done + refused + unknown;
    shown.bar.value = matched > 0 ? settled / matched : ENDED.has(is) ? 1 : 0;
    const parts = [
      `${count(settled)} of ${count(matched)}`,
      refused > 0 ? `${count(refused)} refused` : '',
      unknown > 0 ? `${count(unknown)} with an unknown outcome` : '',
      inFlight > 0 ? `${count(inFlight)} in progress` : '',
      left > 0 && is === 'running' ? `at most ${rate} per second` : '',
      estimatedEnd && is === 'running' ? `ends about ${new Date(estimatedEnd).toLocaleTimeString()}` : '',
    ];
    setText(shown.told, parts.filter(Boolean).join(', '));
    setTime(shown.when, millis(ended ?? created));
    const hasEnded = ENDED.has(is);
    for (const action of [shown.pause, shown.cancel]) setAttribute(action.element, 'hidden', hasEnded ? true : null);
    shown.pause.name(is === 'paused' ? 'Resume' : 'Pause');
    for (const action of [shown.pause, shown.cancel]) action.allow(this.#model.scope());
  }
}

/** Arguments or conditions in words. */
function words(given) {
  const spaced = (name) => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  const shown = (name, value) => (/Before$/.test(name) ? absolute(millis(value)) : value);
  const said = Object.entries(given ?? {}).map(([name, value]) => `${spaced(name)} ${shown(name, value)}`);
  return said.length > 0 ? `, ${said.join(', ')}` : '';
}
