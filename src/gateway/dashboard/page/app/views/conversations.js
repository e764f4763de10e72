// The conversations: a list with search and filters, and the open conversation beside the list.

import { el, setAttribute, setText } from '../dom.js';
import { NOTHING, count, short } from '../format.js';
import { roleOf } from '../model/events.js';
import { List } from '../parts/list.js';
import { Place } from '../parts/notice.js';
import { ofStage, setState, stateElement } from '../states.js';
import { setTime, timeElement } from '../times.js';
import { ConversationPane } from './conversation.js';

const EMPTY = ['No conversations', 'As soon as a connection sees one, it appears here.'];
const NONE_MATCH = [
  'No conversation matches',
  'Try fewer words or filters. Of the messages only the last of each conversation is searched.',
];
/** The least time between two sortings of the list. */
const CALM = 400;
/** After this pause in typing the gateway is asked. */
const TYPED = 350;

export class ConversationsView {
  title = 'Conversations';
  element;
  #model;
  #list;
  #place;
  #search;
  #fields;
  #total;
  #order;
  #pane = null;
  #detail;
  #open = null;
  #selected = { version: -1, asked: '', rows: [] };
  #ordered = -Infinity;
  #asking = null;

  constructor(model) {
    this.#model = model;
    const changed = () => model.changed();
    this.#search = el('input', {
      type: 'search',
      class: 'field wide',
      placeholder: 'Search id, consumer, agent, words',
      'aria-label': 'Search conversations',
      autocomplete: 'off',
      spellcheck: 'false',
      input: () => this.#searched(),
      keydown: (event) => {
        if (event.key === 'Enter') this.#lookUp();
      },
    });
    const select = (label, options, change) =>
      el(
        'select',
        { class: 'field', 'aria-label': label, change },
        options.map(([value, text]) => el('option', { value, text })),
      );
    const text = (label, name) =>
      el('input', {
        type: 'text',
        class: 'field narrow',
        placeholder: label,
        'aria-label': `${label}, exactly`,
        autocomplete: 'off',
        spellcheck: 'false',
        change: () => this.#filter(name),
      });
    this.#fields = {
      stage: select(
        'Stage',
        [
          ['', 'Any stage'],
          ['OPEN', 'Open'],
          ['CLOSE', 'Closed'],
        ],
        () => this.#filter('stage'),
      ),
      connection: text('Connection', 'connection'),
      skill: text('Skill', 'skill'),
      agent: text('Agent', 'agent'),
    };
    this.#order = select(
      'Order',
      [
        ['newest', 'Newest first'],
        ['active', 'Latest message first'],
      ],
      changed,
    );
    this.#total = el('span', { class: 'total', role: 'status' });
    this.#list = new List({
      label: 'Conversations',
      columns: [
        ['Stage', 'v-stage'],
        ['Conversation', 'v-id'],
        ['Consumer', 'v-who'],
        ['Agent', 'v-who'],
        ['Skill', 'v-skill'],
        ['Last message', 'v-last'],
        ['Active', 'v-time'],
      ],
      key: ({ id }) => id,
      create: row,
      update: (element, conversation) => update(element, conversation, model.names),
      onOpen: ({ id }) => {
        location.hash = `#/conversations/${encodeURIComponent(id)}`;
      },
    });
    this.#place = new Place(this.#list.element);
    this.#detail = el('div', { class: 'detail' });
    this.element = el(
      'section',
      { class: 'view conversations', 'aria-label': 'Conversations' },
      el(
        'div',
        { class: 'master' },
        el('div', { class: 'bar' }, el('h1', { tabindex: -1, text: 'Conversations' }), this.#total, this.#search),
        el(
          'div',
          { class: 'bar filters', role: 'group', 'aria-label': 'Filters' },
          Object.values(this.#fields),
          this.#order,
        ),
        this.#place.element,
      ),
      this.#detail,
    );
  }

  show([id]) {
    this.#model.conversations.watch(true);
    this.#model.fleet.refresh();
    if (id === this.#open) return;
    const wasOpen = this.#open !== null;
    this.#open = id ?? null;
    this.#pane?.close();
    this.#pane = id === undefined ? null : new ConversationPane(this.#model, id);
    this.#detail.replaceChildren(...(this.#pane ? [this.#pane.element] : []));
    setAttribute(this.element, 'data-open', this.#pane ? '' : null);
    this.#list.select(this.#open);
    // The focus moves at once: later it would be taken from a user who has moved on.
    if (this.#pane === null) {
      if (wasOpen) this.#list.focus();
    } else if (matchMedia('(max-width: 1100px)').matches) {
      this.#pane.focus();
    }
  }

  hide() {
    this.#model.conversations.watch(false);
    this.#pane?.close();
    this.#pane = null;
    this.#open = null;
    this.#detail.replaceChildren();
  }

  tick() {
    this.#model.names.refresh();
    this.#pane?.tick();
  }

  render() {
    const { conversations } = this.#model;
    const rows = this.#rows();
    const more = conversations.loader.reading
      ? ', reading more…'
      : ', the first of more: search or filter to see others';
    setText(this.#total, conversations.loader.loaded ? count(rows.length) + (conversations.more ? more : '') : '');
    this.#place.settle(
      conversations.loader,
      rows.length === 0,
      conversations.rows.size === 0 && !this.#isFiltered() ? EMPTY : NONE_MATCH,
    );
    this.#list.show(rows);
    this.#pane?.render();
  }

  #rows() {
    const { conversations } = this.#model;
    const asked = `${this.#search.value}\n${this.#order.value}`;
    const isSame = this.#selected.asked === asked;
    if (isSame && this.#selected.version === conversations.version) return this.#selected.rows;
    if (isSame && performance.now() - this.#ordered < CALM) {
      this.#model.changed();
      return this.#selected.rows;
    }
    this.#ordered = performance.now();
    const rows = conversations.select({ search: this.#search.value, order: this.#order.value });
    this.#selected = { version: conversations.version, asked, rows };
    return rows;
  }

  #isFiltered() {
    return this.#search.value !== '' || Object.values(this.#model.conversations.filter).some((value) => value !== '');
  }

  #filter(name) {
    this.#model.conversations.setFilter({ [name]: this.#fields[name].value.trim() });
    this.#model.changed();
  }

  /** Shows the matching rows that are loaded; if not all rows are loaded, asks the gateway a little later. */
  #searched() {
    const { conversations } = this.#model;
    this.#model.changed();
    clearTimeout(this.#asking);
    if (!conversations.searchesThere) return;
    this.#asking = setTimeout(() => {
      const text = this.#search.value.trim();
      if (text !== conversations.filter.text) conversations.setFilter({ text });
    }, TYPED);
  }

  /** Opens the conversation whose whole id was entered, even if it is not in the list. */
  #lookUp() {
    const id = this.#search.value.trim();
    if (id.length >= 8 && !/\s/.test(id) && this.#rows().length <= 1) {
      location.hash = `#/conversations/${encodeURIComponent(this.#rows()[0]?.id ?? id)}`;
    }
  }
}

function row() {
  const cell = (className, ...inside) => el('span', { role: 'gridcell', class: className }, inside);
  const shown = {
    stage: stateElement(),
    id: el('b', { class: 'id' }),
    consumer: el('span', { class: 'id' }),
    agent: el('span', { class: 'id' }),
    skill: el('span'),
    last: el('span'),
    from: el('i'),
    time: timeElement(),
  };
  const element = el(
    'div',
    { class: 'conversation' },
    cell('v-stage', shown.stage),
    cell('v-id', shown.id),
    cell('v-who v-consumer', shown.consumer),
    cell('v-who v-agent', shown.agent),
    cell('v-skill', shown.skill),
    cell('v-last', shown.from, shown.last),
    cell('v-time', shown.time),
  );
  element.shown = shown;
  return element;
}

function update({ shown }, conversation, names) {
  setState(shown.stage, ofStage(conversation.stage));
  named(shown.id, conversation.id);
  named(shown.consumer, conversation.consumer);
  const [through] = conversation.connections;
  const agent = names.agent(through, conversation.agent) ?? names.agent(through, conversation.agentUser);
  named(shown.agent, conversation.agent, agent);
  const skill = conversation.skill === '-1' ? null : conversation.skill;
  setText(shown.skill, skill === null ? NOTHING : names.skill(through, skill));
  setAttribute(shown.skill, 'title', skill);
  setText(shown.from, conversation.lastText === null ? '' : `${roleOf(conversation.lastRole)}: `);
  setText(shown.last, conversation.lastText ?? NOTHING);
  setTime(shown.time, conversation.lastAt ?? conversation.startTime);
}

function named(element, id, name = null) {
  setText(element, id === null ? NOTHING : (name ?? short(id)));
  setAttribute(element, 'title', id);
}
