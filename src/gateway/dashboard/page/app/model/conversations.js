// The list of conversations: read from the gateway with its filters, kept current by events, searched here.

import { list } from '../api.js';
import { cut, millis } from '../format.js';
import { Loader } from './loader.js';
import { connectionOf, textOf } from './events.js';

/** Conversations held at most, and items read for them: several connections may see one conversation. */
const MOST = 5000;
const MOST_READ = 10_000;
/** Items per request, small enough to show the first rows soon. */
const PAGE = 1000;
const PREVIEW = 140;
/** Shown in place of a last message that is not text. */
const NOT_TEXT = 'Structured content';
/** Connections named per conversation at most. */
const NAMED = 6;

export class Conversations {
  rows = new Map();
  more = false;
  filter = { stage: '', connection: '', skill: '', agent: '', text: '' };
  /** Whether the list is visible: only then conversations that come and go cause another reading. */
  watched = false;
  /** Grows with each change of the rows. */
  version = 0;
  /** The last message of each conversation with a message event since the page was opened, the oldest first. */
  #said = new Map();
  #stale = true;
  #onChange;
  loader;

  constructor({ onChange }) {
    this.#onChange = onChange;
    this.loader = new Loader((signal) => this.#load(signal), { least: 3000, onChange });
  }

  watch(watched) {
    this.watched = watched;
    if (watched && this.#stale) this.loader.request();
  }

  /** Reads the list again, because its content may be wrong. */
  invalidate() {
    this.#stale = true;
    if (this.watched) this.loader.request();
  }

  /** Whether the gateway must search, because the page does not hold all conversations. */
  get searchesThere() {
    return this.more || this.filter.text !== '';
  }

  setFilter(filter) {
    this.filter = { ...this.filter, ...filter };
    this.#stale = true;
    this.loader.restart();
  }

  forget() {
    this.rows.clear();
    this.#said.clear();
    this.loader.forget();
    this.#stale = true;
    this.#changed();
  }

  take(event, type) {
    const id = event.subject;
    if (!id) return;
    const row = this.rows.get(id);
    if (type === 'message') this.#note(id, event.data ?? {}, millis(event.time));
    if (!row) {
      // The conversation is new, or may match the filter now. A message causes neither.
      if (!this.#stale && type !== 'message') this.invalidate();
      return;
    }
    const data = event.data ?? {};
    const at = millis(event.time);
    switch (type) {
      case 'message':
        show(row, this.#said.get(id));
        break;
      case 'close':
        row.stage = 'CLOSE';
        row.closeTime = millis(data.closeTime) ?? at;
        break;
      case 'skill-change':
        row.skill = data.newSkillId ?? null;
        break;
      case 'transfer-skill':
        row.skill = data.skillId ?? row.skill;
        row.agent = null;
        break;
      case 'back-to-queue':
        row.agent = null;
        break;
      case 'participant-added':
        if (data.participant?.role === 'ASSIGNED_AGENT') row.agent = nameOf(data.participant) ?? row.agent;
        break;
      case 'participant-removed':
        if (data.participant?.role === 'ASSIGNED_AGENT') row.agent = null;
        break;
      case 'consumer-step-up':
        row.consumer = nameOf(data.participant) ?? row.consumer;
        break;
      case 'conversation': {
        const connection = connectionOf(event);
        if (connection && !row.connections.includes(connection) && row.connections.length < NAMED)
          row.connections.push(connection);
        break;
      }
      default:
        return;
    }
    row.lastAt = Math.max(row.lastAt ?? 0, at ?? 0);
    row.search = null;
    this.#changed();
  }

  /** The rows that match, in the order asked for. */
  select({ search = '', order = 'newest' }) {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const { stage, connection, skill, agent } = this.filter;
    const chosen = [];
    for (const row of this.rows.values()) {
      if (stage && (row.stage ?? 'OPEN') !== stage) continue;
      if (connection && !row.connections.includes(connection)) continue;
      if (skill && row.skill !== skill) continue;
      if (agent && ![row.agent, row.agentUser, row.agent?.split('.')[1]].includes(agent)) continue;
      if (words.length > 0 && !words.every((word) => searched(row).includes(word))) continue;
      chosen.push(row);
    }
    const key = order === 'active' ? (row) => row.lastAt ?? 0 : (row) => row.startTime ?? 0;
    return chosen.sort((one, other) => key(other) - key(one) || (one.id < other.id ? -1 : 1));
  }

  #note(id, message, at) {
    this.#said.delete(id);
    this.#said.set(id, { text: cut(textOf(message), PREVIEW), role: message.role ?? null, at });
    if (this.#said.size > MOST) this.#said.delete(this.#said.keys().next().value);
  }

  #changed() {
    this.version += 1;
    this.#onChange();
  }

  async #load(signal) {
    this.#stale = false;
    const isFirst = !this.loader.loaded;
    const onPage = (items) => {
      if (signal.aborted || !isFirst) return;
      this.#put(items, true);
      this.loader.partly();
    };
    try {
      const { items, more } = await list('v1/conversations', this.filter, MOST_READ, signal, { page: PAGE, onPage });
      this.#put(items, more);
    } catch (problem) {
      this.#stale = true;
      throw problem;
    }
  }

  #put(items, more) {
    const next = new Map();
    let left = more;
    for (const item of items) {
      const known = next.get(item.conversationId);
      if (known) {
        if (known.connections.length < NAMED) known.connections.push(item.connection);
        known.agent ??= nameOf(item.assignedAgent);
        continue;
      }
      if (next.size >= MOST) {
        left = true;
        break;
      }
      next.set(item.conversationId, rowOf(item, this.#said.get(item.conversationId)));
    }
    this.rows = next;
    this.more = left;
    this.#changed();
  }
}

function rowOf(item, said) {
  const row = {
    id: item.conversationId,
    connections: [item.connection],
    stage: item.stage ?? null,
    skill: item.skillId ?? null,
    agent: nameOf(item.assignedAgent),
    agentUser: item.assignedAgent?.userId ?? null,
    consumer: nameOf(item.consumer),
    startTime: millis(item.startTime),
    closeTime: millis(item.closeTime),
    lastAt: millis(item.updateTime),
    lastText: null,
    lastRole: null,
    search: null,
  };
  const last = item.lastMessage;
  if (last) show(row, { text: last.text ?? NOT_TEXT, role: last.role, at: millis(last.time) });
  if (said && (said.at ?? 0) >= (millis(last?.time) ?? 0)) show(row, said);
  return row;
}

function show(row, { text, role, at }) {
  row.lastText = text;
  row.lastRole = role;
  row.lastAt = Math.max(row.lastAt ?? 0, at ?? 0) || null;
  row.search = null;
}

function nameOf(participant) {
  return participant ? participant.agentId || participant.userId || null : null;
}

function searched(row) {
  row.search ??= [row.id, row.consumer, row.agent, row.agentUser, row.skill, row.lastText, ...row.connections]
    .filter(Boolean)
    .join('\n')
    .toLowerCase();
  return row.search;
}
