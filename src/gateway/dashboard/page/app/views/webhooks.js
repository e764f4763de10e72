// The webhooks: whether they deliver, how many events they are behind, and their newest deliveries.

import { el, reconcile, setAttribute, setText } from '../dom.js';
import { NOTHING, count, cut, millis, short, took } from '../format.js';
import { Action } from '../parts/action.js';
import { Place } from '../parts/notice.js';
import { sentence, setState, state, stateElement } from '../states.js';
import { setTime, timeElement } from '../times.js';

const EMPTY = [
  'No webhooks',
  'POST /v1/webhooks creates one. It sends signed events to your receiver and repeats each delivery until it succeeds.',
];
const EVERY = 5000;

export class WebhooksView {
  title = 'Webhooks';
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
      { class: 'view webhooks', 'aria-label': 'Webhooks' },
      el(
        'div',
        { class: 'bar' },
        el('h1', { tabindex: -1, text: 'Webhooks' }),
        this.#total,
        el('p', {
          class: 'lead',
          text: 'Events for your receivers. What could not be delivered is in the dead letters.',
        }),
      ),
      this.#place.element,
    );
  }

  show() {
    this.#model.webhooks.loader.request();
    this.#model.deadLetters.loader.request();
  }

  hide() {}

  /** Called once a second. */
  tick() {
    const { loader, attempts, open } = this.#model.webhooks;
    if (loader.loaded && Date.now() - loader.at > EVERY) {
      loader.request();
      this.#model.deadLetters.loader.request();
      if (open !== null) attempts.request();
    }
  }

  render() {
    const { webhooks, loader } = this.#model.webhooks;
    setText(this.#total, loader.loaded ? count(webhooks.length) : '');
    const isOff = loader.problem?.status === 503;
    if (isOff && !loader.loaded) {
      this.#place.show('off', () =>
        el(
          'div',
          { class: 'notice' },
          el('h3', { text: 'Webhooks need a store' }),
          el('p', { text: 'This service keeps nothing, so it has no webhooks. tertulia run has a store.' }),
        ),
      );
      return;
    }
    this.#place.settle(loader, webhooks.length === 0, EMPTY);
    reconcile(
      this.#list,
      webhooks,
      ({ id }) => id,
      (webhook) => this.#webhook(webhook),
      (element, webhook) => this.#update(element.shown, webhook),
    );
  }

  #webhook({ id, url }) {
    const { webhooks, deadLetters, announce } = this.#model;
    const fact = (name, value) => el('div', { class: 'fact' }, el('dt', { text: name }), el('dd', {}, value));
    const shown = {
      state: stateElement(),
      lag: el('span'),
      pending: el('span'),
      delivered: timeElement(),
      wants: el('span'),
      error: el('p', { class: 'reason' }),
      attempts: el('ol', { class: 'attempts' }),
      test: new Action({
        label: 'Test',
        isTerse: true,
        describe: `Send a test event to webhook ${id}`,
        announce,
        act: () => webhooks.test(id),
      }),
      replay: new Action({
        label: 'Replay',
        isTerse: true,
        describe: `Replay the dead letters of webhook ${id}`,
        announce,
        act: async () => {
          let replayed = 0;
          for (const cause of lettersOf(deadLetters, id)) replayed += await deadLetters.replayAll(cause.id);
          return `${count(replayed)} delivered again`;
        },
      }),
      toggle: new Action({
        label: 'Disable',
        describe: `Enable or disable webhook ${id}`,
        announce,
        confirm: () => (shown.isEnabled ? 'Really disable?' : null),
        act: async () => {
          const [enable, done] = shown.isEnabled ? [false, 'Disabled'] : [true, 'Enabled'];
          await webhooks.enable(id, enable);
          return done;
        },
      }),
    };
    const toggle = ({ target }) => {
      // Only the deliveries of one webhook are read.
      if (target.open) {
        for (const other of this.#list.querySelectorAll('details[open]')) if (other !== target) other.open = false;
        webhooks.show(id);
      } else if (webhooks.open === id) {
        webhooks.show(null);
      }
    };
    const element = el(
      'li',
      { class: 'letter panel' },
      el(
        'div',
        { class: 'letter-head' },
        shown.state,
        el('b', { class: 'webhook-url', title: url, text: cut(url, 100) }),
        el('span', { class: 'id muted', title: id, text: short(id) }),
        el('span', { class: 'letter-actions' }, shown.replay.element, shown.test.element, shown.toggle.element),
      ),
      el(
        'dl',
        { class: 'facts slim' },
        fact('Behind', shown.lag),
        fact('Waiting', shown.pending),
        fact('Last delivery', shown.delivered),
        fact('Wants', shown.wants),
      ),
      shown.error,
      el('details', { toggle }, el('summary', { text: 'Show deliveries' }), shown.attempts),
    );
    element.shown = shown;
    return element;
  }

  #update(shown, webhook) {
    const { id, state: is, reason, isReceiverDown, cursor, pending, filter } = webhook;
    const { lastDelivery, lastError, failingSince } = webhook;
    shown.isEnabled = is === 'enabled';
    setState(
      shown.state,
      !shown.isEnabled
        ? [`Disabled: ${sentence(String(reason ?? 'requested')).toLowerCase()}`, reason === 'requested' ? 'idle' : 'bad']
        : isReceiverDown
          ? ['Receiver down', 'bad']
          : failingSince
            ? ['Failing', 'warn']
            : ['Delivers', 'good'],
    );
    setText(shown.lag, behind(this.#model.overview.now?.journal.newest, cursor));
    setText(shown.pending, `${count(pending)} ${pending === 1 ? 'event' : 'events'}`);
    setTime(shown.delivered, millis(lastDelivery));
    setText(shown.wants, wanted(filter));
    setText(shown.error, lastError && !(millis(lastDelivery) > millis(failingSince)) ? `Last error: ${lastError}` : '');
    shown.toggle.name(shown.isEnabled ? 'Disable' : 'Enable');
    const letters = lettersOf(this.#model.deadLetters, id).reduce((sum, cause) => sum + cause.count, 0);
    setAttribute(shown.replay.element, 'hidden', letters > 0 ? null : true);
    shown.replay.name(`Replay ${count(letters)} dead ${letters === 1 ? 'letter' : 'letters'}`);
    for (const action of [shown.replay, shown.test, shown.toggle]) action.allow(this.#model.scope());
    const { open, deliveries, attempts } = this.#model.webhooks;
    if (open !== id) return;
    const none = attempts.loaded ? 'No attempt yet.' : (attempts.problem?.message ?? 'Reading…');
    reconcile(
      shown.attempts,
      deliveries.length > 0 ? deliveries : [{ none }],
      (delivery) => delivery.none ?? `${delivery.eventId} ${delivery.attempt} ${delivery.time}`,
      attempt,
      (element, { nextTry }) => {
        if (element.next && nextTry && millis(nextTry) > Date.now())
          setText(element.next, `again in ${took((millis(nextTry) - Date.now()) / 1000)}`);
        else if (element.next) setText(element.next, '');
      },
    );
    setAttribute(shown.attempts, 'aria-label', 'Newest deliveries');
  }
}

function attempt({ none, type, conversation, attempt: number, time, durationMs, outcome, status }) {
  if (none) return el('li', { class: 'muted', text: none });
  const when = timeElement({ class: 'row-time' });
  setTime(when, millis(time));
  const next = el('span', { class: 'muted' });
  const isDone = outcome === 'delivered';
  const element = el(
    'li',
    {},
    state(`${sentence(outcome)}${status ? ` (${status})` : ''}`, isDone ? 'good' : 'warn'),
    el('span', { text: String(type).replace(/^tertulia\./, '') }),
    conversation
      ? el('a', {
          class: 'id',
          href: `#/conversations/${encodeURIComponent(conversation)}`,
          title: conversation,
          text: short(conversation),
        })
      : null,
    number > 1 ? el('span', { class: 'muted', text: `attempt ${count(number)}` }) : null,
    el('span', { class: 'muted', text: took(durationMs / 1000) }),
    next,
    when,
  );
  element.next = next;
  return element;
}

/** The causes of the dead letters that are deliveries of a webhook. */
function lettersOf({ causes }, id) {
  return causes.filter(({ newest }) => newest.subscriber === `webhook:${id}`);
}

/** The number of events of the log that the webhook has not read yet: the difference of two cursors of the same log. */
function behind(newest, cursor) {
  const [epoch, offset] = parts(newest);
  const [own, read] = parts(cursor);
  if (epoch === null || epoch !== own) return NOTHING;
  const events = Math.max(0, offset - read);
  return events === 0 ? 'Nothing' : `${count(events)} ${events === 1 ? 'event' : 'events'}`;
}

function parts(cursor) {
  const at = cursor?.lastIndexOf('-') ?? -1;
  return at < 0 ? [null, 0] : [cursor.slice(0, at), Number(cursor.slice(at + 1))];
}

function wanted(filter) {
  const words = Object.values(filter ?? {}).flat();
  return words.length === 0 ? 'Everything' : cut(words.join(', '), 80);
}
