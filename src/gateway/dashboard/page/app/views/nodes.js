// The nodes of a cluster: which of them live, who has what, and what moved lately and why.

import { el, reconcile, setAttribute, setText } from '../dom.js';
import { NOTHING, count, took } from '../format.js';
import { Place } from '../parts/notice.js';
import { sentence, setState, stateElement } from '../states.js';
import { setTime, timeElement } from '../times.js';

const EMPTY = ['No nodes', 'This service shares its data with no other node.'];
const EVERY = 5000;
/** Duties listed at most for each node; the rest is only counted. */
const MOST = 200;
const CAUSES = {
  first: 'nobody had it before',
  'node-lost': 'its node was lost',
  drained: 'its node hands over all it has',
  'handed-over': 'handed over',
  free: 'nobody had it',
};

export class NodesView {
  title = 'Nodes';
  element;
  #model;
  #list;
  #moves;
  #free;
  #note;
  #place;
  #total;

  constructor(model) {
    this.#model = model;
    this.#list = el('ul', { class: 'letters' });
    this.#moves = el('ol', { class: 'attempts moves', 'aria-label': 'Last moves' });
    this.#free = el('p', { class: 'branch-rest' });
    this.#note = el('p', { class: 'branch-rest' });
    this.#total = el('span', { class: 'total', role: 'status' });
    const content = el(
      'div',
      { class: 'scroll columns supervision-columns' },
      this.#list,
      el(
        'section',
        { class: 'panel', 'aria-labelledby': 'moves' },
        el('div', { class: 'panel-head' }, el('h2', { id: 'moves', text: 'Last moves' })),
        el('div', { class: 'tree' }, this.#free, this.#note, this.#moves),
      ),
    );
    this.#place = new Place(content);
    this.element = el(
      'section',
      { class: 'view nodes', 'aria-label': 'Nodes' },
      el(
        'div',
        { class: 'bar' },
        el('h1', { tabindex: -1, text: 'Nodes' }),
        this.#total,
        el('p', { class: 'lead', text: 'Every node serves every client. Each connection runs on one node at a time.' }),
      ),
      this.#place.element,
    );
  }

  show() {
    this.#model.nodes.loader.request();
  }

  hide() {}

  /** Called once a second. */
  tick() {
    const { loader } = this.#model.nodes;
    if (loader.loaded && Date.now() - loader.at > EVERY) loader.request();
  }

  render() {
    const { items, unassigned, moves, incomplete, loader } = this.#model.nodes;
    setText(this.#total, loader.loaded ? count(items.length) : '');
    this.#place.settle(loader, items.length === 0, EMPTY);
    reconcile(
      this.#list,
      items,
      ({ id }) => id,
      (node) => card(node),
      (element, node) => update(element.shown, node, loader.at),
    );
    setText(this.#free, unassigned.length > 0 ? `At no node at the moment: ${listed(unassigned)}` : '');
    setText(this.#note, incomplete.length > 0 ? `Without the moves to ${incomplete.join(', ')}` : '');
    reconcile(
      this.#moves,
      moves.length > 0 ? moves : [{ none: true }],
      ({ none, time, duty, to }) => (none ? 'none' : `${time} ${duty} ${to}`),
      move,
      (element, { time }) => element.moved && setTime(element.moved, time),
    );
  }
}

function card({ id }) {
  const fact = (name, value) => el('div', { class: 'fact' }, el('dt', { text: name }), el('dd', {}, value));
  const shown = {
    state: stateElement(),
    here: el('span', { class: 'muted' }),
    beat: timeElement(),
    since: timeElement(),
    version: el('span'),
    connections: el('span'),
    conversations: el('span'),
    capacity: el('span'),
    labels: el('span'),
    address: el('span', { class: 'webhook-url' }),
    summary: el('summary'),
    duties: el('p', { class: 'reason' }),
  };
  const element = el(
    'li',
    { class: 'letter panel' },
    el('div', { class: 'letter-head' }, shown.state, el('b', { text: id }), shown.here),
    el(
      'dl',
      { class: 'facts slim' },
      fact('Last beat', shown.beat),
      fact('Connections', shown.connections),
      fact('Conversations', shown.conversations),
      fact('Version', shown.version),
      fact('Capacity', shown.capacity),
      fact('Labels', shown.labels),
      fact('Joined', shown.since),
      fact('Address', shown.address),
    ),
    el('details', {}, shown.summary, shown.duties),
  );
  element.shown = shown;
  return element;
}

function update(shown, node, readAt) {
  setState(shown.state, standing(node));
  setText(shown.here, node.isThis ? 'answers this page' : '');
  setTime(shown.beat, readAt - node.silentFor);
  setTime(shown.since, node.since);
  setText(shown.version, node.version);
  setText(shown.connections, count(node.connections));
  setText(shown.conversations, count(node.conversations));
  setText(shown.capacity, String(node.capacity));
  setText(shown.labels, node.labels.join(', ') || NOTHING);
  setText(shown.address, node.address);
  const { length } = node.duties;
  setText(shown.summary, `${count(length)} ${length === 1 ? 'duty' : 'duties'}`);
  setText(shown.duties, listed(node.duties));
  setAttribute(shown.duties, 'hidden', length === 0 ? true : null);
}

function standing({ standing: is, draining }) {
  if (is !== 'valid') return [sentence(is), 'bad'];
  return draining ? ['Draining', 'warn'] : ['Valid', 'good'];
}

function listed(names) {
  const rest = names.length - MOST;
  return names.slice(0, MOST).join(', ') + (rest > 0 ? ` and ${count(rest)} more` : '');
}

function move({ none, duty, from, to, cause, seconds }) {
  if (none) return el('li', { class: 'muted', text: 'Nothing has moved since the nodes joined.' });
  const when = timeElement({ class: 'row-time' });
  const element = el(
    'li',
    {},
    el('b', { text: duty }),
    el('span', { text: from ? `${from} → ${to}` : `to ${to}` }),
    el('span', { class: 'muted', text: CAUSES[cause] ?? sentence(cause).toLowerCase() }),
    Number.isFinite(seconds) ? el('span', { class: 'muted', text: `after ${took(seconds)}` }) : null,
    when,
  );
  element.moved = when;
  return element;
}
