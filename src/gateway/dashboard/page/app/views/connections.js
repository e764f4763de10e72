// The fleet: each connection with its state, and a search over all of them.

import { el, reconcile, setAttribute, setText } from '../dom.js';
import { NOTHING, count, millis, took } from '../format.js';
import { List } from '../parts/list.js';
import { Place } from '../parts/notice.js';
import { lackingOf } from '../model/events.js';
import { ofConnection, ofFailure, ofWaiting, sentence, setState, stateElement } from '../states.js';
import { setTime, timeElement } from '../times.js';

const ORDER = ['bad', 'warn', 'good', 'idle'];
const EMPTY = [
  'No connections',
  'Add [[connections]] to tertulia.toml and start the service again, or try tertulia demo --keep.',
];
const NONE_MATCH = ['No connection matches', 'Try fewer words, or another state.'];

export class ConnectionsView {
  title = 'Connections';
  element;
  #model;
  #list;
  #place;
  #search;
  #chips;
  #total;
  #word = '';

  constructor(model) {
    this.#model = model;
    this.#search = el('input', {
      type: 'search',
      class: 'field',
      placeholder: 'Search connections',
      'aria-label': 'Search connections',
      autocomplete: 'off',
      spellcheck: 'false',
      input: () => model.changed(),
    });
    this.#chips = el('div', { class: 'chips', role: 'group', 'aria-label': 'Filter by state' });
    this.#total = el('span', { class: 'total', role: 'status' });
    this.#list = new List({
      label: 'Connections',
      columns: [
        ['State', 'c-state'],
        ['Connection', 'c-name'],
        ['Since', 'c-since'],
        ['Conversations', 'c-number', 'Conversations of the connection'],
        [
          'Lag',
          'c-number',
          "From the platform's stamp to the event, over the last messages; the two clocks may differ",
        ],
        ['Reconnects', 'c-number'],
        ['Last error', 'c-error'],
      ],
      key: ({ id }) => id,
      create: row,
      update: (element, connection) => update(element, connection, model.fleet.lag(connection.id)),
    });
    this.#place = new Place(this.#list.element);
    this.element = el(
      'section',
      { class: 'view connections', 'aria-label': 'Connections' },
      el(
        'div',
        { class: 'bar' },
        el('h1', { tabindex: -1, text: 'Connections' }),
        this.#total,
        this.#chips,
        this.#search,
      ),
      this.#place.element,
    );
  }

  show([id]) {
    this.#model.fleet.refresh(5000);
    if (id !== undefined) {
      this.#search.value = id;
      this.#word = '';
    }
    this.#list.select(id ?? null);
  }

  hide() {}

  /** Called once a second. */
  tick() {
    this.#model.fleet.refresh();
  }

  render() {
    const { fleet } = this.#model;
    const counts = fleet.counts();
    if (this.#word && !counts.some(({ word }) => word === this.#word)) this.#word = '';
    reconcile(
      this.#chips,
      counts,
      ({ word }) => word,
      ({ word }) => {
        const shown = { state: stateElement(), count: el('b') };
        const element = el(
          'button',
          { class: 'chip', type: 'button', click: () => this.#choose(word) },
          shown.state,
          shown.count,
        );
        element.shown = shown;
        return element;
      },
      (element, { word, tone, count: number }) => {
        setState(element.shown.state, [word, tone]);
        setText(element.shown.count, count(number));
        setAttribute(element, 'aria-pressed', String(word === this.#word));
      },
    );
    const wanted = this.#search.value.trim().toLowerCase();
    const rows = [...fleet.connections.values()]
      .filter(
        ({ id, state, lastError }) =>
          (!this.#word || ofConnection(state)[0] === this.#word) &&
          (!wanted || id.toLowerCase().includes(wanted) || lastError?.toLowerCase().includes(wanted)),
      )
      .sort((one, other) => tone(one) - tone(other) || one.id.localeCompare(other.id, 'en', { numeric: true }));
    setText(this.#total, fleet.loader.loaded ? `${count(rows.length)}${fleet.more ? ' of more' : ''}` : '');
    this.#place.settle(fleet.loader, rows.length === 0, fleet.connections.size === 0 ? EMPTY : NONE_MATCH);
    this.#list.show(rows);
  }

  #choose(word) {
    this.#word = this.#word === word ? '' : word;
    this.#model.changed();
  }
}

function tone({ state }) {
  return ORDER.indexOf(ofConnection(state)[1]);
}

function row() {
  const cell = (className, ...inside) => el('span', { role: 'gridcell', class: className }, inside);
  const shown = {
    state: stateElement(),
    name: el('b', { class: 'id' }),
    since: timeElement(),
    conversations: el('span'),
    lag: el('span'),
    reconnects: el('span'),
    error: el('span'),
  };
  const named = (label, element) => [el('span', { class: 'cell-label', 'aria-hidden': 'true', text: label }), element];
  const element = el(
    'div',
    { class: 'connection' },
    cell('c-state', shown.state),
    cell('c-name', shown.name),
    cell('c-since', shown.since),
    cell('c-number', named('conversations', shown.conversations)),
    cell('c-number', named('lag', shown.lag)),
    cell('c-number', named('reconnects', shown.reconnects)),
    cell('c-error', shown.error),
  );
  element.shown = shown;
  return element;
}

function update({ shown }, connection, lag) {
  setState(shown.state, ofConnection(connection.state));
  setText(shown.name, connection.id);
  setAttribute(shown.name, 'title', connection.id);
  setTime(shown.since, millis(connection.since));
  setText(shown.conversations, count(connection.conversations));
  setText(shown.lag, lag === null ? NOTHING : took(lag));
  setText(shown.reconnects, count(connection.reconnects));
  const failure = connection.failure ? ofFailure(connection.failure) : ofWaiting(connection.waiting);
  const attempts = connection.attempts > 0 ? `Attempt ${connection.attempts}. ` : '';
  const lacking = connection.state === 'ready' ? lackingOf(connection.lacking) : '';
  const error = [failure, lacking && sentence(lacking), connection.lastError].filter(Boolean).join(': ');
  setText(shown.error, attempts + error || NOTHING);
  setAttribute(shown.error, 'title', error || null);
}
