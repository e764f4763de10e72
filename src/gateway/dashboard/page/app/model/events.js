// Events in plain words, and the helpers that read their members.

import { ofWaiting, sentence } from '../states.js';
import { cut, short } from '../format.js';

/** The event types that the page follows. Types that it does not show, such as receipts, are not requested. */
export const FOLLOWED = [
  'conversation',
  'message',
  'close',
  'skill-change',
  'back-to-queue',
  'transfer-skill',
  'transfer-agent',
  'participant-added',
  'participant-removed',
  'consumer-step-up',
  'command-failed',
  'ring',
  'gap',
  'conversation-restarted',
  'conversation-quarantined',
  'connection.connected',
  'connection.disconnected',
  'connection.resuming',
  'connection.resumed',
  'connection.lacking',
  'connection.waiting',
  'connection.identity-lost',
  'connection.failed',
].map((name) => `tertulia.${name}`);

const ROLES = {
  ASSIGNED_AGENT: 'agent',
  CONSUMER: 'consumer',
  MANAGER: 'manager',
  READER: 'reader',
  AGENT: 'agent',
  CONTROLLER: 'controller',
};

/** An event type without the prefix `tertulia.`. */
export function typeOf(event) {
  const type = String(event.type ?? '');
  return type.startsWith('tertulia.') ? type.slice(9) : type;
}

/** The connection of an event; null for an event of the gateway itself. */
export function connectionOf(event) {
  return event.connection ?? null;
}

export function roleOf(role) {
  return ROLES[role] ?? sentence(String(role ?? '').toLowerCase());
}

/** What is shown of a message's body: its text, or what kind of thing it is. */
export function textOf(message) {
  const { body, contentType } = message ?? {};
  if (typeof body === 'string') return body;
  if (body === null || body === undefined) return '';
  if (contentType === 'hosted/file') return `File: ${body.caption || body.relativePath || 'without a name'}`;
  return JSON.stringify(body);
}

function who(participant) {
  const id = participant?.agentId || participant?.userId;
  return id ? `${roleOf(participant.role)} ${short(String(id))}` : 'somebody';
}

const SENTENCES = {
  conversation: () => ['Conversation seen for the first time', 'good'],
  close: ({ closeReason }) => [closeReason ? `Closed by ${sentence(closeReason).toLowerCase()}` : 'Closed', 'idle'],
  dialog: ({ dialogType }) => [`Dialog ${dialogType ?? ''} opened`, 'idle'],
  'dialog.close': ({ closedBy }) => [
    closedBy ? `Dialog closed by ${sentence(closedBy).toLowerCase()}` : 'Dialog closed',
    'idle',
  ],
  'back-to-queue': () => ['Back to the queue', 'warn'],
  'consumer-step-up': ({ previous, participant }) => [
    `Consumer ${short(String(previous?.userId ?? ''))} became ${short(String(participant?.userId ?? ''))}`,
    'good',
  ],
  'group-change': ({ newGroupId }) => [`Moved to group ${newGroupId ?? 'none'}`, 'held'],
  'skill-change': ({ prevSkillId, newSkillId }) => [
    `Skill changed from ${prevSkillId ?? 'none'} to ${newSkillId ?? 'none'}`,
    'held',
  ],
  'transfer-skill': ({ skillId }) => [`Transferred to skill ${skillId ?? 'none'}`, 'held'],
  'transfer-agent': ({ participant }) => [`Offered to ${who(participant)}`, 'held'],
  'manual-ettr-change': () => ['Deadline set by an agent', 'held'],
  'participant-added': ({ participant }) => [`${sentence(who(participant))} joined`, 'good'],
  'participant-removed': ({ participant }) => [`${sentence(who(participant))} left`, 'idle'],
  'participant-suggested': ({ participant }) => [`${sentence(who(participant))} was proposed`, 'idle'],
  'participant-suggested-removed': ({ participant }) => [`${sentence(who(participant))} is no longer proposed`, 'idle'],
  'participant-role-change': ({ participant, previousRole }) => [
    `${sentence(who(participant))} was ${roleOf(previousRole)} before`,
    'held',
  ],
  'ttr-change': ({ ttrType, ttrValue }) => [
    `Response time is ${String(ttrType ?? 'unknown').toLowerCase()}${ttrValue ? `, ${ttrValue} s` : ''}`,
    'held',
  ],
  gap: ({ from, to, missed, awaited }) =>
    awaited
      ? [`Messages ${from} to ${to} are missing; they will be requested again`, 'warn']
      : from !== undefined
      ? [`Messages ${from} to ${to} could not be fetched from the platform`, 'bad']
      : [missed ? `${missed} events were missed` : 'Events were missed', 'warn'],
  'command-failed': ({ command, code, detail }) => [
    `${sentence(command ?? 'command')} failed (${code}): ${cut(String(detail ?? ''), 200)}`,
    'bad',
  ],
  'conversation-restarted': ({ restarts }) => [`Restarted after a fault, for the ${ordinal(restarts)} time`, 'warn'],
  'conversation-quarantined': ({ restarts }) => [`Quarantined after ${restarts} restarts`, 'bad'],
  'connection.connected': () => ['Connected', 'good'],
  'connection.disconnected': ({ code, by, reason }) => [
    `Disconnected by ${sentence(String(by ?? 'unknown')).toLowerCase()}${code ? ` (${code})` : ''}: ${sentence(String(reason ?? '')).toLowerCase()}`,
    'warn',
  ],
  'connection.resuming': ({ attempt }) => [attempt > 1 ? `Resuming, attempt ${attempt}` : 'Resuming', 'warn'],
  'connection.resumed': ({ conversations, filled, incomplete }) => [
    `Resumed with ${conversations} conversations${filled ? `, ${filled} missed messages fetched` : ''}${incomplete ? `, ${incomplete} incomplete` : ''}`,
    incomplete ? 'warn' : 'good',
  ],
  'connection.lacking': ({ lacking }) => {
    const what = lackingOf(lacking);
    return what ? [`Degraded: ${what}`, 'warn'] : ['Fully working again', 'good'];
  },
  'connection.waiting': ({ reason }) => [`Waits: ${ofWaiting({ reason }).toLowerCase()}`, 'bad'],
  'connection.identity-lost': ({ reason, conversations }) => [
    reason === 'step_up_not_stored'
      ? 'Continues as the configured consumer; the step-up must be done again'
      : `Continues as another consumer; ${Number(conversations ?? 0)} conversations ended`,
    'bad',
  ],
  // Notable events that are not in the log.
  'connection-restarted': ({ restarts }) => [`Restarted after a fault, for the ${ordinal(restarts)} time`, 'warn'],
  'dead-letters': ({ count, letterKind, reason }) => [
    `${count > 1 ? `${count} dead letters` : 'Dead letter'} (${letterKind}): ${cut(String(reason ?? ''), 200)}`,
    'held',
  ],
  'webhook-failing': ({ webhook, lastError }) => [
    `Webhook ${short(String(webhook ?? ''))} began to fail${lastError ? `: ${cut(String(lastError), 200)}` : ''}`,
    'warn',
  ],
  'webhook-disabled': ({ webhook, reason }) => [
    `Webhook ${short(String(webhook ?? ''))} was disabled: ${sentence(String(reason ?? '')).toLowerCase()}`,
    'bad',
  ],
  'service-started': ({ version }) => [`The service started, version ${version}`, 'good'],
  'not-noted': ({ missed }) => [`${missed} notable events came too fast to be kept`, 'warn'],
  'connection.failed': ({ reason }) => [`Failed: ${sentence(String(reason ?? '')).toLowerCase()}`, 'bad'],
};

/** What a connection lacks, in words; empty if it lacks nothing. */
export function lackingOf(lacking) {
  const { histories = 0, ...parts } = lacking ?? {};
  const words = Object.entries(parts).map(([part, why]) => `${part === 'agentState' ? 'agent state' : part} (${why})`);
  if (histories > 0) words.push(`${histories} ${histories === 1 ? 'history' : 'histories'}`);
  return words.length > 0 ? `lacks ${words.join(', ')}` : '';
}

/** An event as a sentence and a tone; an unknown event is shown by its type. */
export function describe(type, data) {
  try {
    return SENTENCES[type]?.(data ?? {}) ?? [sentence(type.replaceAll('.', ' ')), 'idle'];
  } catch {
    return [sentence(type), 'idle'];
  }
}

function ordinal(number) {
  const ending = { 1: 'st', 2: 'nd', 3: 'rd' };
  return number > 3 && number < 21 ? `${number}th` : `${number}${ending[number % 10] ?? 'th'}`;
}
