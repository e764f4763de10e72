// Dead letters by cause: what failed and why, and buttons to replay or discard the letters.

import { el, reconcile, setAttribute, setText } from '../dom.js';
import { absolute, bytes, count, cut, millis, short } from '../format.js';
import { Action } from '../parts/action.js';
import { Place } from '../parts/notice.js';
import { sentence } from '../states.js';
import { setTime, timeElement } from '../times.js';

const EMPTY = [
  'No dead letters',
  'Everything that arrived could be handled. Items that cannot be handled are kept here with their bytes and the reason.',
];
const LONGEST_BODY = 4000;
/** The most connections that the gateway names for one cause. */
const MOST_CONNECTIONS = 10;

export class DeadLettersView {
  title = 'Dead letters';
  element;
  #model;
  #list;
  #place;
  #total;
  #foot;

  constructor(model) {
    this.#model = model;
    this.#list = el('ul', { class: 'letters' });
    this.#foot = el('p', { class: 'list-foot' });
    this.#total = el('span', { class: 'total', role: 'status' });
    this.#place = new Place(el('div', { class: 'scroll' }, this.#list, this.#foot));
    this.element = el(
      'section',
      { class: 'view dead-letters', 'aria-label': 'Dead letters' },
      el(
        'div',
        { class: 'bar' },
        el('h1', { tabindex: -1, text: 'Dead letters' }),
        this.#total,
        el('p', { class: 'lead', text: 'Not handled yet. Replaying hands an item to its recipient again.' }),
      ),
      this.#place.element,
    );
  }

  show() {
    this.#model.deadLetters.loader.request();
  }

  hide() {}

  tick() {
    const { loader } = this.#model.deadLetters;
    const age = Date.now() - (loader.at ?? 0);
    const { deadLetters, overview } = this.#model;
    const isOther = overview.now?.deadLetters !== deadLetters.count && !deadLetters.more;
    if (loader.loaded && (age > 15_000 || (isOther && age > 3000))) loader.request();
  }

  render() {
    const { causes, more, loader, count: letters } = this.#model.deadLetters;
    setText(this.#total, loader.loaded ? count(letters) : '');
    this.#place.settle(loader, causes.length === 0, EMPTY);
    reconcile(
      this.#list,
      causes,
      ({ id }) => id,
      (cause) => this.#cause(cause),
      (element, cause) => this.#update(element.shown, cause),
    );
    setText(this.#foot, more ? 'More causes follow when these are gone' : '');
  }

  #cause({ id, newest }) {
    const { deadLetters, announce } = this.#model;
    const { subscriber, kind, reason } = newest;
    const shown = {
      count: el('b', { class: 'letter-count' }),
      time: timeElement({ class: 'row-time' }),
      on: el('span', { class: 'muted' }),
      where: el('span', { class: 'letter-where' }),
      bytes: el('div'),
      replay: new Action({
        label: 'Replay',
        describe: `Replay all dead letters of the cause: ${cut(String(reason ?? ''), 80)}`,
        announce,
        act: async () => `${count(await deadLetters.replayAll(id))} handed over again`,
      }),
      discard: new Action({
        label: 'Discard',
        isTerse: true,
        describe: `Discard all dead letters of the cause: ${cut(String(reason ?? ''), 80)}`,
        announce,
        confirm: () => (shown.letters > 1 ? `Really discard ${count(shown.letters)}?` : null),
        act: async () => `${count(await deadLetters.discardAll(id))} discarded`,
      }),
    };
    const element = el(
      'li',
      { class: 'letter panel', 'data-cause': id },
      el(
        'div',
        { class: 'letter-head' },
        shown.count,
        el('b', { text: sentence(String(kind ?? 'unknown')) }),
        shown.where,
        shown.on,
        subscriber ? el('span', { class: 'id', text: `for ${subscriber}` }) : null,
        shown.time,
        el('span', { class: 'letter-actions' }, shown.discard.element, shown.replay.element),
      ),
      el('p', { class: 'reason', text: String(reason ?? '') }),
      shown.bytes,
    );
    element.shown = shown;
    return element;
  }

  #update(shown, { count: letters, first, connections, newest }) {
    const { id, time, conversation, size, isCut } = newest;
    const [scope, isOne] = [this.#model.scope(), letters === 1];
    shown.letters = letters;
    setText(shown.count, isOne ? '' : `${count(letters)} ×`);
    setText(shown.on, `on ${connections.join(', ')}${connections.length === MOST_CONNECTIONS ? ', …' : ''}`);
    setTime(shown.time, millis(time));
    const [began, ended] = [absolute(millis(first)), absolute(millis(time))];
    if (!isOne) setAttribute(shown.time, 'title', `The first ${began}, the last ${ended}`);
    shown.replay.name(isOne ? 'Replay' : 'Replay all');
    shown.discard.name(isOne ? 'Discard' : 'Discard all');
    shown.replay.allow(scope, isCut && isOne ? 'Not all of its bytes were kept' : null);
    shown.discard.allow(scope);
    if (shown.id === id) return;
    shown.id = id;
    shown.bytes.replaceChildren(this.#bytes(id, size, isCut, isOne));
    shown.where.replaceChildren(
      conversation
        ? el('a', {
            class: 'id',
            href: `#/conversations/${encodeURIComponent(conversation)}`,
            title: conversation,
            text: short(conversation),
          })
        : document.createDocumentFragment(),
    );
  }

  /** The bytes of the newest letter, read when the user opens them. */
  #bytes(id, size, isCut, isOne) {
    const text = el('pre', { tabindex: 0, role: 'group', 'aria-label': 'Bytes of the letter', text: 'Reading…' });
    let isRead = false;
    const toggle = async ({ target }) => {
      if (!target.open || isRead) return;
      isRead = true;
      try {
        setText(text, cut(textOf((await this.#model.deadLetters.whole(id)).body), LONGEST_BODY));
      } catch (problem) {
        isRead = false;
        setText(text, problem.message);
      }
    };
    return el(
      'details',
      { toggle },
      el('summary', { text: `Show ${isOne ? 'its' : 'the newest:'} ${bytes(size)}${isCut ? ', cut off' : ''}` }),
      text,
    );
  }
}

/** Bytes in base64 as text. */
function textOf(body) {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(body), (byte) => byte.charCodeAt(0)));
  } catch {
    return String(body);
  }
}
