// Dead letters: what could not be handled, why, and a way to hand it over again.

import { el, reconcile, setAttribute, setText } from '../dom.js';
import { bytes, count, cut, millis, short } from '../format.js';
import { Action } from '../parts/action.js';
import { Place } from '../parts/notice.js';
import { sentence } from '../states.js';
import { setTime, timeElement } from '../times.js';

const EMPTY = [
  'No dead letters',
  'Everything that arrived could be handled. Items that cannot be handled are kept here with their bytes and the reason.',
];
/** Letters in the document at most: the newest of the letters that were read. */
const SHOWN = 100;
const LONGEST_BODY = 4000;

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
        el('p', { class: 'lead', text: 'Not handled yet. Replaying hands an item to its conversation again.' }),
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
    if (
      loader.loaded &&
      (age > 15_000 || (this.#model.overview.now?.deadLetters !== this.#model.deadLetters.letters.length && age > 3000))
    )
      loader.request();
  }

  render() {
    const { letters, more, loader } = this.#model.deadLetters;
    setText(this.#total, loader.loaded ? `${count(letters.length)}${more ? ', the oldest of more' : ''}` : '');
    this.#place.settle(loader, letters.length === 0, EMPTY);
    reconcile(
      this.#list,
      letters.slice(0, SHOWN),
      ({ id }) => id,
      (letter) => this.#letter(letter),
      (element) => {
        setTime(element.shown.time, element.shown.at);
        element.shown.replay.allow(this.#model.scope(), element.shown.otherwise);
        element.shown.discard.allow(this.#model.scope());
      },
    );
    const hidden = letters.length - SHOWN;
    setText(this.#foot, hidden > 0 ? `${count(hidden)} older ones follow when these are gone` : '');
  }

  #letter({ id, time, connection, conversation, subscriber, kind, reason, size, isCut }) {
    const { deadLetters, announce } = this.#model;
    const shown = {
      at: millis(time),
      time: timeElement({ class: 'row-time' }),
      replay: new Action({
        label: 'Replay',
        describe: `Replay dead letter ${id}`,
        done: 'The letter was handed over again',
        announce,
        act: () => deadLetters.replay(id),
      }),
      discard: new Action({
        label: 'Discard',
        isTerse: true,
        describe: `Discard dead letter ${id}`,
        done: 'The letter was discarded',
        announce,
        act: () => deadLetters.discard(id),
      }),
      otherwise: isCut ? 'Not all of its bytes were kept' : null,
    };
    const where = conversation
      ? el('a', {
          class: 'id',
          href: `#/conversations/${encodeURIComponent(conversation)}`,
          title: conversation,
          text: short(conversation),
        })
      : el('span', { class: 'id', text: subscriber ?? 'no conversation' });
    const element = el(
      'li',
      { class: 'letter panel' },
      el(
        'div',
        { class: 'letter-head' },
        el('b', { text: sentence(String(kind ?? 'unknown')) }),
        where,
        el('span', { class: 'muted', text: `on ${connection}` }),
        shown.time,
        el('span', { class: 'letter-actions' }, shown.discard.element, shown.replay.element),
      ),
      el('p', { class: 'reason', text: String(reason ?? '') }),
      this.#bytes(id, size, isCut),
    );
    setAttribute(element, 'data-id', id);
    element.shown = shown;
    return element;
  }

  /** The letter's bytes, read when the user opens them. */
  #bytes(id, size, isCut) {
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
      el('summary', { text: `Show its ${bytes(size)}${isCut ? ', cut off' : ''}` }),
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
