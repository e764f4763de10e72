// One conversation: its participants, its deadline, and its timeline.

import { el, reconcile, setAttribute, setText } from '../dom.js';
import { NOTHING, absolute, count, millis, short, timeOfDay } from '../format.js';
import { roleOf } from '../model/events.js';
import { Timeline } from '../model/timeline.js';
import { Acts } from '../parts/act.js';
import { Action } from '../parts/action.js';
import { failed, notice } from '../parts/notice.js';
import { ofStage, sentence, setState, state, stateElement } from '../states.js';
import { setDeadline, setTime, tick, timeElement } from '../times.js';

/** A participant counts as typing for this long after the last sign of typing. */
const TYPES_FOR = 8000;
const AT_THE_END = 40;

export class ConversationPane {
  element;
  #model;
  #timeline;
  #head;
  #facts = new Map();
  #people;
  #note;
  #noteBox;
  #quarantine;
  #release;
  #line;
  #scroll;
  #acts;
  #typing;
  #foot;
  #atEnd = true;
  #problem;
  #body;

  constructor(model, id) {
    this.#model = model;
    this.#timeline = new Timeline(id, {
      newest: model.overview.first.then((overview) => overview.journal.newest),
      canQuery: (connection) => model.fleet.loader.loaded && !model.fleet.isForConsumers(connection),
      onChange: () => model.changed(),
    });
    this.#head = { stage: stateElement(), title: el('h1', { tabindex: -1, class: 'id', text: id }) };
    const copy = el('button', {
      class: 'quiet',
      type: 'button',
      text: 'Copy id',
      click: () =>
        navigator.clipboard?.writeText(id).then(
          () => model.announce('The id was copied'),
          () => model.announce('The id could not be copied'),
        ),
    });
    const fact = (name, value = el('dd')) => {
      this.#facts.set(name, value);
      return el('div', { class: 'fact' }, el('dt', { text: name }), value);
    };
    const deadline = timeElement({ class: 'deadline' });
    this.#facts.deadline = deadline;
    this.#people = el('ul', { class: 'people' });
    this.#note = el('p', { class: 'note-text' });
    this.#noteBox = el(
      'section',
      { class: 'note', hidden: true, 'aria-label': 'Note' },
      el('h2', { text: 'Note' }),
      this.#note,
    );
    this.#release = new Action({
      label: 'Release',
      describe: `Release conversation ${id}`,
      done: 'The conversation was released',
      announce: model.announce,
      act: () => model.supervision.release(this.#quarantined()?.connection, id),
    });
    this.#quarantine = el(
      'div',
      { class: 'banner', hidden: true },
      state('Quarantined', 'held'),
      el('span', { text: 'This conversation failed too often. Until it is released, it handles nothing.' }),
      this.#release.element,
    );
    this.#line = el('ol', { class: 'timeline' });
    this.#typing = el('p', { class: 'typing', role: 'status' });
    this.#scroll = el(
      'div',
      {
        class: 'timeline-scroll',
        tabindex: 0,
        role: 'log',
        'aria-live': 'off',
        'aria-label': 'What was said and what happened',
        scroll: () => this.#scrolled(),
      },
      (this.#foot = el('p', { class: 'timeline-foot' })),
      this.#line,
      this.#typing,
    );
    this.#problem = el('div', { hidden: true });
    this.#body = el(
      'div',
      { class: 'pane-body' },
      el(
        'dl',
        { class: 'facts' },
        el('div', { class: 'fact fact-deadline' }, el('dt', { text: 'Answer due' }), el('dd', {}, deadline)),
        fact('Skill'),
        fact('Connection'),
        fact('Started', el('dd', {}, timeElement())),
        fact('Published'),
        fact('Notifications'),
      ),
      this.#people,
      this.#noteBox,
      this.#scroll,
      (this.#acts = new Acts(model, id)).element,
    );
    const keydown = ({ key, target }) => {
      if (key === 'Escape' && !target.matches('input, textarea, select')) location.hash = '#/conversations';
    };
    this.element = el(
      'article',
      { class: 'pane', 'aria-label': `Conversation ${id}`, keydown },
      el(
        'header',
        { class: 'pane-head' },
        el('a', { class: 'quiet back', href: '#/conversations', 'aria-label': 'Back to the list', text: '‹ List' }),
        this.#head.stage,
        this.#head.title,
        copy,
        el('a', {
          class: 'quiet close',
          href: '#/conversations',
          'aria-label': 'Close this conversation',
          text: 'Close',
        }),
      ),
      this.#quarantine,
      this.#problem,
      this.#body,
    );
    setText(this.#head.title, id);
    setAttribute(this.#head.title, 'title', id);
  }

  focus() {
    this.#head.title.focus({ preventScroll: true });
  }

  close() {
    this.#timeline.close();
  }

  tick() {
    tick(this.element);
    this.#type();
  }

  render() {
    const { members, loader } = this.#timeline;
    const isAbsent = members === null && loader.problem !== null;
    setAttribute(this.#problem, 'hidden', isAbsent ? null : true);
    setAttribute(this.#body, 'hidden', isAbsent ? true : null);
    if (isAbsent) {
      const { problem } = loader;
      const text =
        problem.code === 'unknown-conversation'
          ? notice(
              'Conversation not found',
              'No connection knows this conversation, or it was removed meanwhile.',
            )
          : failed(problem, () => loader.request());
      if (this.#problem.problem !== problem.message) this.#problem.replaceChildren(text);
      this.#problem.problem = problem.message;
      return;
    }
    if (members) this.#show(members);
    this.#isolate();
    this.#tell();
    this.#type();
  }

  #show(members) {
    this.#timeline.queryFirst();
    const fact = (name) => this.#facts.get(name);
    setState(this.#head.stage, ofStage(members.stage));
    setDeadline(
      this.#facts.deadline,
      members.stage === 'CLOSE' ? null : (millis(members.ttrEffectiveManual) ?? millis(members.ttrEffective)),
    );
    const { names } = this.#model;
    const skill = members.skillId === '-1' || !members.skillId ? null : members.skillId;
    setText(fact('Skill'), skill === null ? NOTHING : names.skill(members.connection, skill));
    setAttribute(fact('Skill'), 'title', skill);
    const row = this.#model.conversations.rows.get(this.#timeline.id);
    const connections = row?.connections ?? [members.connection];
    setText(fact('Connection'), connections.join(', '));
    this.#acts.render(members, connections);
    setTime(fact('Started').firstChild, millis(members.startTime));
    const next = (members.dialogs ?? []).reduce((most, { nextSequence }) => most + (Number(nextSequence) || 0), 0);
    setText(fact('Published'), count(next));
    setAttribute(fact('Published'), 'title', 'Messages and receipts in its dialogs');
    setText(fact('Notifications'), count(members.notificationCount));
    setAttribute(
      fact('Notifications'),
      'title',
      `${count(members.notificationIgnoredCount)} repeated, ${count(members.notificationOutOfOrderCount)} out of order`,
    );
    const people = (members.participants ?? []).slice(0, 50);
    reconcile(
      this.#people,
      people,
      ({ userId, agentId, role }) => `${userId} ${agentId} ${role} ${this.#nameOf(userId, agentId) ?? ''}`,
      (person) => {
        const id = String(person.agentId || person.userId || '');
        const name = this.#nameOf(person.userId, person.agentId);
        return el(
          'li',
          { 'data-role': person.role ?? '' },
          el('span', { class: 'person-role', text: roleOf(person.role) }),
          el('b', { class: 'id', title: id, text: name ?? (short(id) || NOTHING) }),
          person.state && person.state !== 'ACTIVE'
            ? el('span', { class: 'person-state', text: sentence(String(person.state).toLowerCase()) })
            : null,
        );
      },
    );
    setAttribute(this.#noteBox, 'hidden', members.note ? null : true);
    setText(this.#note, members.note ?? '');
  }

  /** The name of an agent; null if the platform reports no name. */
  #nameOf(userId, agentId) {
    const { connection } = this.#timeline.members;
    const { names } = this.#model;
    return names.agent(connection, agentId) ?? names.agent(connection, userId);
  }

  #quarantined() {
    for (const connection of this.#model.supervision.tree?.connections ?? []) {
      if (connection.quarantined?.some(({ conversation }) => conversation === this.#timeline.id))
        return { connection: connection.id };
    }
    return null;
  }

  #isolate() {
    setAttribute(this.#quarantine, 'hidden', this.#quarantined() ? null : true);
    this.#release.allow(this.#model.scope());
  }

  #tell() {
    const items = this.#timeline.items();
    const names = new Map(
      (this.#timeline.members?.participants ?? []).map(({ userId, agentId }) => [
        userId,
        this.#nameOf(userId, agentId) ?? short(String(agentId || userId)),
      ]),
    );
    setText(
      this.#foot,
      this.#timeline.cut
        ? 'Older messages and events are not shown.'
        : items.length === 0
          ? 'Nothing was said yet.'
          : '',
    );
    reconcile(
      this.#line,
      items,
      ({ key }) => key,
      (item) => (item.kind === 'message' ? message(item) : happening(item)),
      (element, item) => {
        element.update?.(item, names);
      },
    );
    if (this.#atEnd) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  #type() {
    const now = Date.now();
    const who = [...this.#timeline.typing]
      .filter(([, since]) => now - since < TYPES_FOR)
      .map(([id]) => short(String(id)));
    setText(this.#typing, who.length === 0 ? '' : `${who.join(', ')} ${who.length === 1 ? 'types' : 'type'}…`);
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < AT_THE_END;
  }
}

function stamp(at) {
  return el('span', { class: 'stamp', title: absolute(at), text: timeOfDay(at) });
}

function message(item) {
  const side = item.role === 'CONSUMER' ? 'consumer' : 'brand';
  const text = el('p', { class: 'said', dir: 'auto', text: item.text });
  const from = el('span', { class: 'id', title: item.from });
  const element = el(
    'li',
    { class: 'message', 'data-side': side, 'data-private': item.isPrivate ? '' : null },
    el(
      'div',
      { class: 'message-head' },
      el('b', { text: sentence(roleOf(item.role) || 'unknown') }),
      from,
      item.isPrivate ? el('span', { class: 'private', text: 'Private' }) : null,
      stamp(item.at),
      el('span', { class: 'sequence', title: 'Place in the dialog', text: `#${item.sequence}` }),
    ),
    text,
  );
  element.update = (next, names) => {
    setText(text, next.text);
    setText(from, names.get(next.from) ?? short(String(next.from ?? '')));
  };
  return element;
}

function happening({ at, text, tone, connection, type }) {
  const via =
    type.startsWith('conversation') || type === 'command-failed'
      ? el('span', { class: 'via', text: `by ${connection}` })
      : null;
  return el('li', { class: 'happening' }, state('', tone), el('span', { text }), via, stamp(at));
}
