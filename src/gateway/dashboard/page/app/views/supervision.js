// The supervision tree: the fleet, its connections, what was restarted, and what is in quarantine.

import { el, reconcile, setAttribute, setText } from '../dom.js';
import { count, millis, short, span } from '../format.js';
import { Action } from '../parts/action.js';
import { Place } from '../parts/notice.js';
import { ofConnection, sentence, setState, stateElement } from '../states.js';
import { setTime, timeElement } from '../times.js';

/** Connections listed at most; the rest is only counted. */
const MOST = 200;

export class SupervisionView {
  title = 'Supervision';
  element;
  #model;
  #place;
  #root;
  #branches;
  #totals;
  #policies;
  #rest;

  constructor(model) {
    this.#model = model;
    this.#root = { state: stateElement(), text: el('span', { class: 'node-text' }) };
    this.#branches = el('ul', { class: 'branches' });
    this.#rest = el('p', { class: 'branch-rest' });
    this.#totals = el('dl', { class: 'facts wide' });
    this.#policies = el('ul', { class: 'rows policies' });
    const content = el(
      'div',
      { class: 'scroll columns supervision-columns' },
      el(
        'section',
        { class: 'panel', 'aria-labelledby': 'tree' },
        el('div', { class: 'panel-head' }, el('h2', { id: 'tree', text: 'Tree' })),
        el(
          'div',
          { class: 'tree' },
          el('div', { class: 'node' }, el('b', { text: 'Fleet' }), this.#root.state, this.#root.text),
          this.#branches,
          this.#rest,
        ),
      ),
      el(
        'div',
        { class: 'stack' },
        el(
          'section',
          { class: 'panel', 'aria-labelledby': 'totals' },
          el('div', { class: 'panel-head' }, el('h2', { id: 'totals', text: 'Since the service began' })),
          this.#totals,
        ),
        el(
          'section',
          { class: 'panel', 'aria-labelledby': 'policies' },
          el('div', { class: 'panel-head' }, el('h2', { id: 'policies', text: 'Policies' })),
          this.#policies,
        ),
      ),
    );
    this.#place = new Place(content);
    this.element = el(
      'section',
      { class: 'view supervision', 'aria-label': 'Supervision' },
      el(
        'div',
        { class: 'bar' },
        el('h1', { tabindex: -1, text: 'Supervision' }),
        el('p', {
          class: 'lead',
          text: 'A failing part is restarted alone. A conversation that keeps failing is quarantined; others are not affected.',
        }),
      ),
      this.#place.element,
    );
  }

  show() {
    this.#model.supervision.loader.request();
  }

  hide() {}

  tick() {
    const { loader } = this.#model.supervision;
    if (loader.loaded && Date.now() - loader.at > 5000) loader.request();
  }

  render() {
    const { tree, loader } = this.#model.supervision;
    this.#place.settle(loader, false, []);
    if (!tree) return;
    const connections = tree.connections ?? [];
    const notable = connections.filter(
      ({ state, restarts, conversationRestarts, quarantined }) =>
        restarts > 0 || conversationRestarts > 0 || quarantined?.length > 0 || ofConnection(state)[1] !== 'good',
    );
    notable.sort(
      (one, other) =>
        (other.quarantined?.length ?? 0) - (one.quarantined?.length ?? 0) ||
        other.restarts - one.restarts ||
        one.id.localeCompare(other.id, 'en', { numeric: true }),
    );
    const quarantined = connections.reduce((sum, connection) => sum + (connection.quarantined?.length ?? 0), 0);
    const reconnects = this.#model.overview.hour()?.reconnects ?? 0;
    setState(
      this.#root.state,
      quarantined > 0
        ? ['Some are quarantined', 'held']
        : notable.length > 0
          ? ['Some needed help', 'warn']
          : reconnects > 0
            ? ['Recovered', 'warn']
            : ['All well', 'good'],
    );
    setText(
      this.#root.text,
      `${count(connections.length)} connections${reconnects > 0 ? `, ${times(reconnects, 'reconnect')} in the last hour` : ''}`,
    );
    reconcile(
      this.#branches,
      notable.slice(0, MOST),
      ({ id }) => id,
      (connection) => this.#branch(connection),
      (element, connection) => this.#update(element, connection),
    );
    const rest = connections.length - Math.min(notable.length, MOST);
    setText(
      this.#rest,
      rest > 0
        ? `${count(rest)} ${notable.length > 0 ? 'other ' : ''}${rest === 1 ? 'connection runs' : 'connections run'} as they should`
        : '',
    );
    this.#figures(tree);
  }

  #branch({ id }) {
    const shown = {
      state: stateElement(),
      restarts: el('span', { class: 'node-text' }),
      leaves: el('ul', { class: 'branches' }),
    };
    const element = el(
      'li',
      {},
      el('div', { class: 'node' }, el('b', { class: 'id', text: id }), shown.state, shown.restarts),
      shown.leaves,
    );
    element.shown = shown;
    return element;
  }

  #update({ shown }, { id, state, restarts = 0, conversationRestarts = 0, quarantined = [] }) {
    setState(shown.state, ofConnection(state));
    const told = [
      times(restarts, 'restart'),
      conversationRestarts > 0 ? `${times(conversationRestarts, 'restart')} of conversations` : '',
    ];
    setText(shown.restarts, told.filter(Boolean).join(', '));
    reconcile(
      shown.leaves,
      quarantined.slice(0, MOST),
      ({ conversation }) => conversation,
      (leaf) => this.#leaf(id, leaf),
      (element, leaf) => {
        setTime(element.shown.since, millis(leaf.since));
        const dropped =
          leaf.notificationsDropped > 0 ? ` (${count(leaf.notificationsDropped)} notifications dropped since)` : '';
        setText(element.shown.reason, reasonOf(leaf.reason) + dropped);
        element.shown.release.allow(this.#model.scope());
      },
    );
  }

  #leaf(connection, { conversation }) {
    const shown = {
      since: timeElement({ class: 'row-time' }),
      reason: el('p', { class: 'reason' }),
      release: new Action({
        label: 'Release',
        describe: `Release conversation ${conversation}`,
        done: 'Released',
        announce: this.#model.announce,
        act: () => this.#model.supervision.release(connection, conversation),
      }),
    };
    const held = stateElement();
    setState(held, ['Quarantined', 'held']);
    const element = el(
      'li',
      {},
      el(
        'div',
        { class: 'node' },
        el('a', {
          class: 'id',
          href: `#/conversations/${encodeURIComponent(conversation)}`,
          title: conversation,
          text: short(conversation),
        }),
        held,
        shown.since,
        shown.release.element,
      ),
      shown.reason,
    );
    element.shown = shown;
    return element;
  }

  #figures({ totals = {}, policies = {} }) {
    reconcile(
      this.#totals,
      Object.entries(totals),
      ([name]) => name,
      ([name]) => {
        const value = el('dd');
        const element = el('div', { class: 'fact' }, el('dt', { text: wordsOf(name) }), value);
        element.shown = value;
        return element;
      },
      (element, [, value]) => {
        setText(element.shown, typeof value === 'number' ? count(value) : JSON.stringify(value));
        setAttribute(element, 'data-some', value > 0 ? '' : null);
      },
    );
    reconcile(
      this.#policies,
      Object.entries(policies),
      ([name]) => name,
      ([name]) => {
        const value = el('span', { class: 'row-text' });
        const element = el('li', {}, el('b', { text: wordsOf(name) }), value);
        element.shown = value;
        return element;
      },
      (element, [, policy]) => setText(element.shown, policyOf(policy)),
    );
  }
}

function times(number, word) {
  return number > 0 ? `${count(number)} ${word}${number === 1 ? '' : 's'}` : '';
}

function wordsOf(name) {
  return sentence(name.replaceAll(/([a-z])([A-Z])/g, (_, one, other) => `${one} ${other.toLowerCase()}`));
}

function reasonOf(reason) {
  return typeof reason === 'string' ? reason : reason ? JSON.stringify(reason) : '';
}

function policyOf(policy) {
  if (policy === null || typeof policy !== 'object') return String(policy);
  const many = policy.restarts ?? policy.maxRestarts ?? policy.failures;
  const within = policy.windowSeconds ?? policy.within;
  const window = typeof within === 'number' ? span(within) : within;
  if (many === undefined || window === undefined) {
    return Object.entries(policy)
      .map(([name, value]) => `${wordsOf(name).toLowerCase()} ${value}`)
      .join(', ');
  }
  return `up to ${many} within ${window}`;
}
