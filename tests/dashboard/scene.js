// One staged moment of a service, the same at every run: what each row answers, and how time goes on from there.

import { ACCOUNT, EPOCH, MINUTE, NOW, SECOND, SKILLS, at, numbers } from './moment.js';
import { deliveries, jobs, minutes, names, notable, rings, webhooks } from './operations.js';

export { NOW };

function uuid(number) {
  const hex = (digits) => Array.from({ length: digits }, () => number(16).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
}

const TALK = [
  ['CONSUMER', 'Hi, my parcel should have come on Monday. Where is it?'],
  ['ASSIGNED_AGENT', 'Hello! I am looking it up. Could you tell me the number of your order?'],
  ['CONSUMER', 'It is 40-7718'],
  [
    'ASSIGNED_AGENT',
    'Thank you. It left Lisbon on Sunday and waits in the depot of your town, because the address lacked a floor.',
  ],
  ['CONSUMER', 'Third floor, left. Can it come tomorrow?'],
  ['ASSIGNED_AGENT', 'Third floor, left, noted. The next van goes tomorrow between nine and noon.'],
  ['CONSUMER', 'Could I pick it up today instead? And I was charged twice, I think.'],
];
const LINES = {
  CONSUMER: [
    'Could you check the status of my order?',
    'Thank you, that helps.',
    'It worked, thanks!',
    'I cannot log in any more',
    'Is the shop open on Sunday?',
    'The code you sent does not work',
    'Can I change the delivery address?',
    'Where do I find my invoice?',
    'Perfect 👍',
  ],
  ASSIGNED_AGENT: [
    'One moment, I am looking it up.',
    'The refund takes three to five days.',
    'Your appointment is confirmed for Friday.',
    'I have sent you a new one.',
    'Which size do you need?',
    'We shall call you back within the hour.',
    'It is attached to this message.',
  ],
};
const CONNECTIONS = [
  ['bots-1', 'ready', 205, 0],
  ['bots-2', 'ready', 198, 1],
  ['bots-3', 'ready', 211, 0],
  ['bots-4', 'resuming', 187, 4],
  ['bots-5', 'ready', 199, 0],
  ['monitor', 'ready', 1000, 0],
  ['whatsapp-eu', 'ready', 64, 2],
  ['whatsapp-us', 'waiting_to_reconnect', 58, 11],
  ['survey', 'ready', 22, 0],
  ['bulk-night', 'failed', 0, 0],
  ['summary-notes', 'ready', 0, 0],
];

function connection([id, state, conversations, reconnects], index) {
  const error =
    {
      waiting_to_reconnect: 'the socket was closed with 1011: the platform restarts',
      failed: 'login refused with 401',
    }[state] ?? null;
  const since = state === 'ready' ? (40 + index * 17) * MINUTE : (3 + index) * 5 * SECOND;
  return {
    id,
    account: ACCOUNT,
    role: 'brand',
    state,
    ...(state === 'failed' ? { failure: 'credentials_refused' } : {}),
    since: at(since),
    attempts: state === 'waiting_to_reconnect' ? 3 : 0,
    reconnects,
    restarts: id === 'bots-2' ? 1 : 0,
    conversationRestarts: id === 'bots-3' ? 7 : 0,
    lastError: error,
    conversations,
  };
}

const person = (userId, role, agentId = null) => ({ userId, agentId, role, state: 'ACTIVE', chatState: 'ACTIVE' });

function conversation(index, number) {
  const id = uuid(number);
  const isClosed = number(9) === 0;
  const agent = number(24);
  const startTime = NOW - (12 * MINUTE + number(180 * MINUTE));
  const bot = `bots-${1 + number(5)}`;
  return {
    conversationId: id,
    connection: bot,
    stage: isClosed ? 'CLOSE' : 'OPEN',
    skillId: SKILLS[number(SKILLS.length)],
    assignedAgent:
      isClosed || number(12) === 0
        ? null
        : person(uuid(number), 'ASSIGNED_AGENT', `${ACCOUNT}.39011220${String(agent).padStart(2, '0')}`),
    consumer: isClosed ? null : person(uuid(number), 'CONSUMER'),
    startTime,
    updateTime: Math.max(startTime, NOW - 4000 - number(number(3) * 30 * MINUTE + MINUTE)),
    closeTime: isClosed ? NOW - number(30 * MINUTE) : null,
    lastMessage: null,
    index,
  };
}

/** Three nodes: one answers, one drains, and one has shown no sign of life for long. */
function nodes(connections, text) {
  const node = (id, more) => ({
    id,
    isThis: false,
    standing: 'valid',
    draining: false,
    version: '0.1.0',
    address: `10.0.0.${id.charCodeAt(0) - 96}:8081`,
    labels: [text('label', 'eu')],
    capacity: 1,
    since: NOW - 9 * 60 * MINUTE,
    silentFor: 1200,
    connections: 0,
    conversations: 0,
    duties: [],
    ...more,
  });
  const own = connections.slice(0, 6);
  const duties = own.map(({ id }) => `connection/${id}`);
  return {
    items: [
      node('a', { isThis: true, duties: [...duties, 'webhooks'], connections: own.length, conversations: 2000 }),
      node('b', { draining: true, duties: ['bulk'] }),
      node('c', { standing: 'suspended', silentFor: 40 * SECOND }),
    ],
    unassigned: ['connection/bulk-night'],
    moves: [
      { time: NOW - 20 * SECOND, duty: 'webhooks', from: 'b', to: 'a', cause: 'drained', seconds: 0.8 },
      { time: NOW - 2 * MINUTE, duty: 'connection/bots-1', from: 'd', to: 'a', cause: 'node-lost', seconds: 16.2 },
      { time: NOW - 9 * 60 * MINUTE, duty: 'bulk', from: null, to: 'b', cause: 'first', seconds: null },
    ],
    incomplete: ['c'],
  };
}

/** A scene with so many conversations; `text(what, plain)` may put another text in the place of each; `several` nodes serve it. */
export function scene({ conversations = 1000, text = (what, plain) => plain, several = false } = {}) {
  const number = numbers(7);
  const rows = Array.from({ length: conversations }, (_, index) => conversation(index, number));
  const connections = conversations === 0 ? [] : CONNECTIONS.map(connection);
  const opened = rows.length > 0 ? Object.assign(rows[0], openedConversation(number, text)) : null;
  for (const row of rows) {
    row.skillId = text('skill', row.skillId);
    // Every tenth conversation has no message yet.
    if (row.index % 10 === 9) continue;
    const role = row.index % 2 === 0 ? 'CONSUMER' : 'ASSIGNED_AGENT';
    const line = LINES[role][row.index % LINES[role].length];
    row.lastMessage = { sequence: row.index % 31, role, text: text('message', line), time: row.updateTime };
  }
  const messages = opened ? talk(opened, text) : [];
  if (opened) {
    const { sequence, role, body, time } = messages.at(-1);
    opened.lastMessage = { sequence, role, text: body, time };
  }
  rows.sort((one, other) => (one.conversationId < other.conversationId ? -1 : 1));
  const quarantined = opened
    ? rows.slice(4, 6).map((row, index) => ({
        conversation: row.conversationId,
        since: at((4 + 9 * index) * MINUTE),
        restarts: 6,
        notificationsDropped: 3 + index,
        reason: text(
          'reason',
          index === 0
            ? 'panicked at the 6th time within 30 s: dialog without a channel'
            : 'an invariant was broken: sequence 12 after 14',
        ),
      }))
    : [];
  const withQuarantine = connections.map((one) => ({ ...one, quarantined: one.id === 'bots-3' ? quarantined : [] }));
  return {
    epoch: EPOCH,
    connections,
    conversations: rows,
    opened,
    number,
    text,
    nodes: several ? nodes(connections, text) : null,
    supervision: {
      connections: withQuarantine,
      totals: {
        connectionRestarts: conversations ? 1 : 0,
        conversationRestarts: conversations ? 7 : 0,
        subscriberRestarts: 0,
        fleetRestarts: 0,
        escalations: 0,
        connectionsMoved: 0,
        arbitersReplaced: 0,
        arbitersFrozen: 0,
        deadLetters: conversations ? 3 : 0,
      },
      policies: Object.fromEntries(
        ['connection', 'conversation', 'fleet', 'subscriber'].map((kind) => [kind, { restarts: 5, windowSeconds: 30 }]),
      ),
    },
    letters: conversations === 0 ? [] : letters(rows, text),
    notable: conversations === 0 ? [] : notable(rows, text),
    rings: conversations === 0 ? [] : rings(text),
    webhooks: conversations === 0 ? [] : webhooks(text),
    deliveries: conversations === 0 ? [] : deliveries(rows),
    jobs: conversations === 0 ? [] : jobs(),
    /** The data of the account that the platform reports; null if it reports none. */
    names: conversations === 0 ? null : names(text),
    messages,
  };
}

function openedConversation(number, text) {
  const consumer = person(text('name', 'a71c05f2-6d0b-4c64-a3a5-58a6bb0de8d1'), 'CONSUMER');
  const agent = person('1cb34384-a1ea-4da4-9d59-97c285e0c488', 'ASSIGNED_AGENT', `${ACCOUNT}.3901122007`);
  const manager = person('60b1eb4b-8f1a-4a58-b3cf-17b8d7a2f8a0', 'MANAGER', `${ACCOUNT}.3901122001`);
  return {
    stage: 'OPEN',
    skillId: 'delivery',
    assignedAgent: agent,
    consumer,
    startTime: NOW - 14 * MINUTE,
    updateTime: NOW - 20 * SECOND,
    closeTime: null,
    connection: 'bots-1',
    note: text('note', 'Prefers to pick up in person. Was promised a refund of the shipping on 21 November.'),
    participants: [consumer, agent, manager],
    ttrEffective: NOW + 4 * MINUTE + 12 * SECOND,
    ttrEffectiveManual: null,
    ttrType: 'PRIORITIZED',
    ttrValue: 600,
    notificationCount: 41,
    notificationIgnoredCount: 12,
    notificationOutOfOrderCount: 1,
    dialogs: [{ dialogId: 'main', dialogType: 'MAIN', state: 'OPEN', nextSequence: 24 }],
  };
}

function message(opened, sequence, role, body, time, more = {}) {
  const from =
    { CONSUMER: opened.consumer.userId, MANAGER: '60b1eb4b-8f1a-4a58-b3cf-17b8d7a2f8a0' }[role] ??
    '1cb34384-a1ea-4da4-9d59-97c285e0c488';
  return {
    dialogId: 'main',
    sequence,
    originatorId: from,
    role,
    messageAudience: 'ALL',
    contentType: 'text/plain',
    body,
    metadata: null,
    time,
    ...more,
  };
}

function talk(opened, text) {
  const said = TALK.map(([role, line], index) =>
    message(opened, index * 2, role, text('message', line), NOW - (12 - index * 1.7) * MINUTE),
  );
  said.push(
    message(
      opened,
      15,
      'MANAGER',
      text('message', 'The depot confirms pick-up until 18:00. Please offer it.'),
      NOW - 55 * SECOND,
      { messageAudience: 'AGENTS_AND_MANAGERS' },
    ),
  );
  return said.sort((one, other) => one.time - other.time);
}

function letters(rows, text) {
  const letter = (index, kind, before, reason, more = {}) => ({
    id: `01a2138${index}-b788-7113-a94d-84ccc84783ea`,
    time: at(before),
    connection: 'bots-3',
    conversation: rows[(4 + index) % rows.length].conversationId,
    subscriber: null,
    kind,
    reason: text('reason', reason),
    size: 1432 + 310 * index,
    isCut: false,
    ...more,
  });
  return [
    letter(0, 'state', 34 * MINUTE, 'the conversation panicked: dialog without a channel'),
    letter(1, 'command', 13 * MINUTE, 'the conversation panicked while it carried out send-text'),
    letter(2, 'delivery', 4 * MINUTE, 'the receiver answered 503', { subscriber: 'webhook:wh-orders' }),
    ...Array.from({ length: 12 }, (_, place) =>
      letter(20 + place, 'frame', 2 * MINUTE, `malformed frame: EOF while parsing a list at line 1 column ${80 + place}`, {
        conversation: null,
        size: 80 + place,
      }),
    ),
  ];
}

/** Groups the letters by cause, as the gateway does. */
export function causes(letters) {
  const found = new Map();
  for (const letter of letters) {
    const id = causeOf(letter);
    const cause = found.get(id) ?? { id, count: 0, first: letter.time, connections: [letter.connection] };
    found.set(id, { ...cause, count: cause.count + 1, newest: letter });
  }
  return [...found.values()].reverse();
}

export function causeOf({ kind, reason }) {
  return Buffer.from(`${kind} ${reason.replaceAll(/\d+/g, '#')}`).toString('hex').slice(-32);
}

/** What goes up and down around `base`: at each second, how much, and how much in all. */
function series(seed, base, height) {
  const number = numbers(seed);
  const [each, total] = [[], [0]];
  let drift = 0;
  for (let second = 0; second < LONGEST; second += 1) {
    drift += (number(2001) - 1000) / 1000 - drift * 0.02;
    each.push(
      Math.max(
        0,
        base + height * (0.16 * drift + Math.sin(second / 170) / 3) + (height * (number(2001) - 1000)) / 9000,
      ),
    );
    total.push(total[second] + each[second]);
  }
  return { each, total };
}

/** Seconds that a scene goes on for. */
const LONGEST = 3600;
const FRAMES = series(11, 1650, 420);
const EVENTS = series(11, 1120, 290);
const COMMANDS = series(5, 340, 120);
const MEDIAN = series(3, 0.00034, 0.00006);
const WORST = series(9, 0.0021, 0.0011);

/** The overview after `seconds`. With `began`, the time when the scene began, it includes the past. */
export function overview(scene, seconds, scope, began = null) {
  const { connections, conversations } = scene;
  const at = Math.min(LONGEST - 1, Math.floor(seconds));
  const total = (of) => Math.round(of.total[at] + (seconds - at) * of.each[at]);
  const isEmpty = connections.length === 0;
  const counted = (state) => connections.filter((one) => one.state === state).length;
  const latency = { count: 12_000, p50: MEDIAN.each[at], p99: WORST.each[at] };
  return {
    nodes: scene.nodes?.items.length ?? null,
    version: '0.1.0',
    scope,
    uptimeSeconds: (isEmpty ? 0 : 9 * 3600) + Math.floor(seconds),
    residentBytes: (isEmpty ? 21 : 96) * 1024 * 1024,
    connections: {
      total: connections.length,
      ready: counted('ready'),
      failed: counted('failed'),
      stopped: 0,
      working: connections.length - counted('ready') - counted('failed'),
    },
    conversations: {
      inMemory: isEmpty ? 0 : conversations.length,
      asleep: isEmpty ? 0 : 8412,
      quarantined: isEmpty ? 0 : 2,
    },
    journal: { newest: `${scene.epoch}-${1_000_000 + Math.floor(seconds)}`, waiting: 0, healthy: true },
    latency: {
      windowSeconds: 10,
      frameToEvent: isEmpty ? { count: 0, p50: null, p99: null } : latency,
      command: isEmpty ? { count: 0, p50: null, p99: null } : { count: 900, p50: 0.018, p99: 0.046 },
    },
    counts: {
      frames: isEmpty ? 0 : 40_000_000 + total(FRAMES),
      events: isEmpty ? 0 : 21_000_000 + total(EVENTS),
      commandsDone: isEmpty ? 0 : 6_000_000 + total(COMMANDS),
      commandsFailed: isEmpty ? 0 : 3,
      reconnects: isEmpty ? 0 : 18,
      restarts: isEmpty ? 0 : 8,
      messageGaps: 0,
      messagesBackFilled: 212,
      deadLetters: isEmpty ? 0 : 3,
    },
    deadLetters: scene.letters.length,
    minutes: began === null ? null : minutes(scene, began),
    notable: began === null ? null : scene.notable,
  };
}

/** An event of the log. */
export function event(scene, offset, type, { connection = 'bots-1', subject, time = NOW, data = {} }) {
  return {
    specversion: '1.0',
    id: `${scene.epoch}-${offset}`,
    source: `/accounts/${ACCOUNT}/connections/${connection}`,
    connection,
    ...(subject ? { subject } : {}),
    type: `tertulia.${type}`,
    time: new Date(time).toISOString(),
    sequence: String(offset),
    datacontenttype: 'application/json',
    data,
  };
}

/** What happened in the opened conversation besides what was said. */
export function history(scene) {
  const { opened } = scene;
  const happened = (offset, type, before, data) =>
    event(scene, offset, type, { subject: opened.conversationId, time: NOW - before, data });
  return [
    happened(900_001, 'conversation', 14 * MINUTE, {}),
    happened(900_002, 'participant-added', 13.4 * MINUTE, {
      dialogId: 'main',
      participant: person('b0t', 'ASSIGNED_AGENT', 'welcome-bot'),
      context: { previouslySuggested: false },
    }),
    happened(900_003, 'transfer-skill', 11.2 * MINUTE, { dialogId: 'main', skillId: scene.text('skill', 'delivery') }),
    happened(900_004, 'participant-added', 10.9 * MINUTE, {
      dialogId: 'main',
      participant: opened.assignedAgent,
      context: { previouslySuggested: false },
    }),
    happened(900_005, 'ttr-change', 9 * MINUTE, {
      ttrValue: 600,
      ttrType: 'PRIORITIZED',
      ttrEffective: NOW + 4 * MINUTE,
    }),
  ];
}

/** What happens while somebody looks: the newest last. */
export function happenings(scene) {
  const { conversations, number } = scene;
  const of = (index) => conversations[index % conversations.length].conversationId;
  const lines = [
    ['connection.disconnected', 'whatsapp-us', null, { code: 1011, by: 'platform', reason: 'platform_restarts' }],
    ['transfer-skill', 'bots-2', 31, { dialogId: 'main', skillId: scene.text('skill', 'billing') }],
    ['close', 'bots-5', 44, { closeTime: NOW, closeReason: 'CONSUMER' }],
    ['conversation-restarted', 'bots-3', 5, { restarts: 4 }],
    ['conversation-quarantined', 'bots-3', 5, { restarts: 6 }],
    ['connection.resumed', 'bots-2', null, { conversations: 198, filled: 27, incomplete: 0 }],
    [
      'transfer-agent',
      'bots-1',
      88,
      { dialogId: 'main', participant: person('x', 'ASSIGNED_AGENT', `${ACCOUNT}.3901122003`) },
    ],
    [
      'command-failed',
      'bots-4',
      102,
      {
        key: 'k',
        command: 'send-text',
        code: 'not-connected',
        detail: scene.text('detail', 'the connection was lost while it was sent'),
      },
    ],
    ['back-to-queue', 'bots-2', 64, { dialogId: 'main' }],
  ];
  const told = lines.map(([type, connection, index, data], place) =>
    event(scene, 1_000_100 + place, type, {
      connection,
      subject: index === null ? undefined : of(index),
      time: NOW - (lines.length - place) * 21 * SECOND,
      data,
    }),
  );
  const newest = [...conversations]
    .sort((one, other) => other.startTime - one.startTime)
    .filter((row, place) => place % 13 !== 7 && row !== scene.opened);
  const messages = newest.slice(0, 400).map((row, place) => {
    const role = number(2) === 0 ? 'ASSIGNED_AGENT' : 'CONSUMER';
    const line = scene.text('message', LINES[role][number(LINES[role].length)]);
    const time = NOW - 4000 - number(90_000);
    const data = message(scene.opened, 30 + place, role, line, time - 12 - number(60));
    return event(scene, 1_000_200 + place, 'message', {
      connection: row.connection,
      subject: row.conversationId,
      time,
      data,
    });
  });
  const last = scene.messages.at(-1);
  messages.push(
    event(scene, 1_000_900, 'message', { subject: scene.opened.conversationId, time: last.time + 30, data: last }),
  );
  return [...told, ...messages];
}
