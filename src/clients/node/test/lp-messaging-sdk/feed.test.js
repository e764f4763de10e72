// What the events of a gateway become, where a real service does not send them in the order that the test needs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import lpm from '../../lp-messaging-sdk/index.js';
import { gateway, item, stream } from '../support/gateway.js';
import { next, recorded, until } from './support.js';

const CONSUMER = { userId: 'ann', agentId: null, role: 'CONSUMER', state: 'ACTIVE', chatState: 'ACTIVE' };
const AGENT = { userId: 'me', agentId: '1.7', role: 'ASSIGNED_AGENT', state: 'ACTIVE', chatState: 'ACTIVE' };

/** A conversation as the gateway returns it. */
function conversation(id, { participants = [CONSUMER], ...more } = {}) {
  const dialog = {
    dialogId: id,
    dialogType: 'MAIN',
    channelType: 'MESSAGING',
    state: 'OPEN',
    startTime: 1,
    updateTime: 10,
    participants,
  };
  const counts = { notificationCount: 1, notificationIgnoredCount: 0, notificationOutOfOrderCount: 0 };
  return {
    conversationId: id,
    stage: 'OPEN',
    skillId: '-1',
    groupId: null,
    csat: null,
    updateTime: 10,
    dialogs: [dialog],
    ...counts,
    ...more,
  };
}

/** A gateway with one ready connection and these conversations, and an open connection of the SDK. */
async function connected(t, conversations, options = {}) {
  const known = new Map(conversations.map((each) => [each.conversationId, each]));
  const status = { id: 'bots', account: '1', role: 'brand', state: 'ready', agentId: '1.7', userId: 'me' };
  const streams = [];
  const messages = options.messages ?? [];
  const hold = {};
  const answers = [
    ...(options.answers ?? []),
    [/^GET \/v1\/events\?.*after=latest/, () => ({ items: [], cursor: 'e-0' })],
    [/^GET \/v1\/connections\/bots$/, () => status],
    [/^GET \/v1\/connections/, () => ({ items: [status], nextCursor: null })],
    [/^POST \/v1\/connections\/bots\/requests/, () => ({ nickName: 'me' })],
    [
      /^GET \/v1\/conversations\?/,
      () => ({
        items: [...known.values()].map(({ conversationId, stage }) => ({
          conversationId,
          stage,
          lastMessage: options.lastMessage,
        })),
        nextCursor: null,
      }),
    ],
    [/^GET \/v1\/conversations\/[^/]*\/messages/, () => ({ items: messages })],
    [/^GET \/v1\/conversations\/([^/?]*)/, ([, id]) => known.get(id)],
  ];
  const { url, requests } = await gateway(t, async (response, { method, url: path, headers }) => {
    if (headers.accept === 'text/event-stream') {
      streams.push(stream(response));
      return;
    }
    await hold.until;
    const [pattern, answer] = answers.find(([each]) => each.test(`${method} ${path}`));
    const body = answer(pattern.exec(`${method} ${path}`)) ?? { code: 'unknown-conversation', status: 404 };
    response.writeHead(body.status > 399 ? body.status : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  const connection = lpm.createConnection({
    accountId: '1',
    userType: 'brand',
    authData: { username: 'me', password: 'p' },
    connection: 'bots',
    gatewayUrl: url,
    ...options.connection,
  });
  const errors = recorded(connection, ['error']);
  const seen = recorded(connection, ['conversation']);
  await connection.open();
  t.after(() => connection.state === lpm.ConnectionState.CLOSED || connection.close());
  let number = 0;
  const send = (type, subject, data, more) => {
    number += 1;
    streams.at(-1).write(item(number, type, { subject, data, time: `2026-01-01T00:00:00.${number}Z`, ...more }));
  };
  await until(() => streams.length > 0);
  return { connection, errors, seen, send, known, requests, hold, streams };
}

const text = (sequence, body, more = {}) => ({
  dialogId: 'c',
  sequence,
  originatorId: 'ann',
  role: 'CONSUMER',
  messageAudience: 'ALL',
  contentType: 'text/plain',
  body,
  metadata: null,
  time: 100 + sequence,
  ...more,
});

test('a change of the group and an update of members come from events', async (t) => {
  const { connection, send } = await connected(t, [conversation('c')], { connection: { waitForReady: true } });
  const known = connection.getConversationById('c');
  const changed = next(known, 'group-change');
  send('group-change', 'c', { prevGroupId: null, newGroupId: '7' });
  assert.deepEqual(await changed, { prevGroupId: null, newGroupId: '7' });
  const accepted = next(known, 'notification');
  send('update', 'c', {
    changed: {
      updateTime: 20,
      notificationCount: 2,
      note: 'n',
      csat: { csatRate: 3 },
      context: { type: 'CustomContext', clientProperties: { os: 'IOS' } },
    },
  });
  const { conversationDetails } = await accepted;
  assert.deepEqual(
    [known.groupId, known.note, known.csat, known.context, known.clientProperties, known.notificationCount],
    ['7', 'n', 3, { type: 'CustomContext' }, { os: 'IOS' }, 2],
  );
  assert.equal(conversationDetails.note, 'n');
});

test('a message from the history is news only if it is newer than the own part in the conversation', async (t) => {
  const { connection, send } = await connected(t, [conversation('c')], { connection: { waitForReady: true } });
  const known = connection.getConversationById('c');
  const heard = recorded(known, ['message']);
  send('participant-added', 'c', { dialogId: 'c', participant: AGENT, context: { previouslySuggested: false } });
  send('update', 'c', { changed: { updateTime: 102, notificationCount: 2 } });
  send('message', 'c', text(0, 'said before', { backFilled: true }));
  send('message', 'c', text(3, 'missed', { backFilled: true }));
  send('message', 'c', text(4, 'live'));
  send('message', 'c', text(4, 'live'));
  await until(() => heard.length === 2);
  assert.deepEqual(
    heard.map(([, { body }]) => body),
    ['missed', 'live'],
  );
  assert.deepEqual(
    known.openDialog.messages.map(({ body }) => body),
    ['said before', 'missed', 'live'],
  );
});

test('an event that the state contains already is not emitted, and neither is what follows from it', async (t) => {
  const { connection, send } = await connected(t, [conversation('c', { skillId: '501' })], {
    connection: { waitForReady: true },
  });
  const known = connection.getConversationById('c');
  const heard = recorded(known, [
    'skill-change',
    'transfer-skill',
    'participant-added',
    'participant-removed',
    'back-to-queue',
    'close',
    'message',
  ]);
  send('skill-change', 'c', { prevSkillId: '-1', newSkillId: '501' });
  send('transfer-skill', 'c', { dialogId: 'c', skillId: '501' });
  send('participant-removed', 'c', { dialogId: 'c', participant: AGENT });
  send('back-to-queue', 'c', { dialogId: 'c' });
  send('participant-added', 'c', { dialogId: 'c', participant: CONSUMER, context: { previouslySuggested: false } });
  send('message', 'c', text(0, 'the end'));
  await until(() => heard.length > 0);
  assert.deepEqual(
    heard.map(([name]) => name),
    ['message'],
  );
});

test('events of a conversation whose state is not known wait for the state', async (t) => {
  const { connection, seen, send, known, hold } = await connected(t, []);
  known.set('c', conversation('c'));
  let release;
  hold.until = new Promise((resolve) => {
    release = resolve;
  });
  const heard = recorded(connection, ['conversation', 'conversation:message']);
  send('message', 'c', text(0, 'first'));
  send('message', 'c', text(1, 'second'));
  release();
  await until(() => heard.length === 3);
  assert.deepEqual(
    heard.map(([name, { message }]) => message?.body ?? name),
    ['conversation', 'first', 'second'],
  );
  assert.equal(seen.length, 1);
});

test('a conversation is shown after its messages were read, and its events follow', async (t) => {
  const messages = [text(0, 'first')];
  const { connection, seen, send } = await connected(t, [], { messages, connection: { getAllMessages: true } });
  const heard = recorded(connection, ['conversation', 'conversation:message']);
  send('conversation', 'c', conversation('c'));
  send('message', 'c', text(1, 'second'));
  await until(() => heard.length === 2);
  assert.deepEqual(
    heard.map(([name, { message }]) => message?.body ?? name),
    ['conversation', 'second'],
  );
  assert.deepEqual(
    seen[0][1].openDialog.messages.map(({ body }) => body),
    ['first', 'second'],
  );
});

test('the newest message of the list is kept until the whole message is known', async (t) => {
  const lastMessage = { sequence: 2, role: 'CONSUMER', text: 'newest', time: 5 };
  const messages = [text(2, 'newest', { metadata: [{ type: 'x' }] })];
  const { connection } = await connected(t, [conversation('c')], {
    lastMessage,
    messages,
    connection: { waitForReady: true },
  });
  const { openDialog } = connection.getConversationById('c');
  assert.deepEqual(
    [openDialog.messages[0].body, openDialog.messages[0].messageAudience, openDialog.messages[0].participant.userId],
    ['newest', 'UNKNOWN', 'ann'],
  );
  const [whole] = await openDialog.queryMessages();
  assert.deepEqual([whole.messageAudience, whole.metadata, openDialog.messages.length], ['ALL', [{ type: 'x' }], 1]);
  assert.equal(openDialog.messages[0], whole);
});

test('after a gap, the states are read again: changes are emitted, and what is gone is dropped', async (t) => {
  const { connection, seen, send, known } = await connected(t, [conversation('c'), conversation('d')], {
    connection: { waitForReady: true },
  });
  const [c, d] = ['c', 'd'].map((id) => connection.getConversationById(id));
  known.set('c', conversation('c', { participants: [CONSUMER, AGENT], groupId: '7', updateTime: 30 }));
  known.delete('d');
  known.set('e', conversation('e'));
  const heard = recorded(c, ['group-change', 'participant-added']);
  const deleted = next(connection.defaultSubscription, 'conversation-deleted');
  send('gap', undefined, { missed: 5, snapshot: '/v1/conversations' }, { connection: undefined });
  assert.equal(await deleted, d);
  assert.deepEqual(
    heard.map(([name]) => name),
    ['group-change', 'participant-added'],
  );
  assert.deepEqual(
    seen.map(([, { conversationId }]) => conversationId),
    ['c', 'd', 'e'],
  );
});

test('messages that are missing for good are an error', async (t) => {
  const { errors, send } = await connected(t, [conversation('c')], { connection: { waitForReady: true } });
  send('gap', 'c', { dialogId: 'c', from: 3, to: 5, awaited: true });
  send('gap', 'c', { dialogId: 'c', from: 3, to: 5 });
  await until(() => errors.length > 0);
  assert.deepEqual(
    errors.map(([, { message }]) => message),
    ['messages 3 to 5 of dialog c are missing'],
  );
});

test('a conversation that a subscription does not see yet is shown when it begins to match', async (t) => {
  const { connection, seen, send } = await connected(t, [conversation('c')], {
    connection: { waitForReady: true, defaultSubscriptionQuery: { stage: 'OPEN', agentId: '1.7' } },
  });
  assert.equal(connection.getConversationById('c'), null);
  send('participant-added', 'c', { dialogId: 'c', participant: AGENT, context: { previouslySuggested: false } });
  send('update', 'c', { changed: { updateTime: 20, notificationCount: 2 } });
  await until(() => seen.length === 1);
  assert.equal(seen[0][1].assignedAgent.agentId, '1.7');
});

test('a connection that fails, waits, or loses its consumer emits so', async (t) => {
  const { connection, errors, send } = await connected(t, []);
  const heard = recorded(connection, ['reconnecting', 'reconnect-wait', 'failed-to-connect', 'disconnect']);
  send('connection.disconnected', undefined, { by: 'platform', code: 4401, reason: 'token_rejected' });
  send('connection.resuming', undefined, { attempt: 1 });
  send('connection.waiting', undefined, {
    reason: 'credentials_refused',
    until: new Date(Date.now() + 60_000).toISOString(),
  });
  send('connection.identity-lost', undefined, { reason: 'expired', conversations: 0 });
  send('connection.failed', undefined, { reason: 'credentials_refused' });
  await until(() => heard.length === 4);
  assert.deepEqual(
    heard.map(([name]) => name),
    ['disconnect', 'reconnecting', 'reconnect-wait', 'failed-to-connect'],
  );
  assert.deepEqual(heard[0][1], { code: '4401', reason: 'token_rejected' });
  assert.ok(heard[2][1].seconds > 50);
  assert.deepEqual(
    errors.map(([, { message }]) => message),
    [
      'cannot connect account 1: credentials_refused',
      'the identity of the consumer is lost: expired',
      'cannot connect account 1: credentials_refused',
    ],
  );
  assert.equal(connection.state, lpm.ConnectionState.FAILED_TO_CONNECT);
});

test('a request that is not answered in time is a timeout, as an event and as an error', async (t) => {
  const { connection, hold } = await connected(t, [], { connection: { responseTimeout: 300, waitForReady: true } });
  let release;
  hold.until = new Promise((resolve) => {
    release = resolve;
  });
  const emitted = next(connection, 'timeout');
  await assert.rejects(connection.send({ type: 'GetClock' }), { isTimeout: true });
  assert.equal((await emitted).isTimeout, true);
  release();
});

test('closed conversations that no subscription sees are forgotten', async (t) => {
  const { connection, send, requests } = await connected(t, [], {
    connection: { defaultSubscriptionQuery: { stage: 'OPEN', agentId: '1.7' } },
  });
  send('conversation', 'c', conversation('c'));
  send('close', 'c', { closeTime: 30, closeReason: 'CONSUMER' });
  send('update', 'c', { changed: { stage: 'CLOSE', updateTime: 30 } });
  send('message', 'c', text(0, 'late'));
  // The state is read, because nothing is known of the conversation any more.
  await until(() => requests.some(({ url }) => /^\/v1\/conversations\/c\?/.test(url)));
  assert.deepEqual([connection._withState(), connection.getAllKnownConversations()], [[], []]);
});

test('a request waits for a lost connection, and the answer to a ring until its outcome is known', async (t) => {
  const codes = [
    [503, 'not-connected'],
    [404, 'unknown-ring'],
    [504, 'outcome-unknown'],
  ].map(([status, code]) => ({ status, code }));
  const answer = () => codes.shift() ?? { connection: 'bots', conversationId: 'c' };
  const answers = [
    [/^GET \/v1\/rings/, () => ({ items: [], nextCursor: null })],
    [/^POST \/v1\/rings/, answer],
  ];
  const { connection, send, requests } = await connected(t, [], { answers });
  await connection.createRoutingTaskSubscription();
  const offered = next(connection, 'ring');
  send('ring', undefined, { ringId: 'r', ringState: 'WAITING', ringExpirationTs: Date.now() + 60_000 });
  const ring = await offered;
  const accepted = ring.accept();
  // Each change of the connection lets the answer be given again.
  const timer = setInterval(() => send('connection.lacking', undefined, { lacking: {} }), 20);
  await accepted.finally(() => clearInterval(timer));
  const given = requests.filter(({ method, url }) => method === 'POST' && url.startsWith('/v1/rings'));
  assert.deepEqual(
    given.map(({ headers }) => headers['idempotency-key']),
    [undefined, undefined, undefined, undefined],
  );
});

test('the answer to a ring that is over fails, unless the ring has this answer', async (t) => {
  const answers = [
    [/^GET \/v1\/rings/, () => ({ items: [], nextCursor: null })],
    [/^POST \/v1\/rings/, () => ({ status: 404, code: 'unknown-ring' })],
  ];
  const { connection, send } = await connected(t, [], { answers });
  await connection.createRoutingTaskSubscription();
  const offered = next(connection, 'ring');
  send('ring', undefined, { ringId: 'r', ringState: 'WAITING', ringExpirationTs: Date.now() + 60_000 });
  const ring = await offered;
  const accepted = next(ring, 'accepted');
  send('ring', undefined, { ringId: 'r', ringState: 'ACCEPTED' });
  await accepted;
  await ring.accept();
  await assert.rejects(ring.reject(), { code: 'unknown-ring' });
});

test('a connection that is closed while it reads conversations has no errors', async (t) => {
  const { connection, errors, hold } = await connected(t, [], { connection: { createDefaultSubscription: false } });
  let release;
  hold.until = new Promise((resolve) => {
    release = resolve;
  });
  await connection.createConversationSubscription({ query: { stage: ['OPEN'] } });
  await connection.close();
  release();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(errors, []);
});
