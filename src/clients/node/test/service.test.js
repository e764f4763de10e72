// The client in front of the service itself, which is connected to the stand-in.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, memoryCursor } from '../lib/index.js';
import { startTertulia } from '../lib/testing/index.js';

let running;
let platform;
let tertulia;

before(async () => {
  const consumer = { id: 'consumer', role: 'consumer' };
  const monitor = { id: 'monitor', login: { username: 'bot2' }, subscribe: { agents: 'all' } };
  const bots = { id: 'bots', login: { username: 'bot1' }, rings: 'accept', agent_state: 'ONLINE' };
  running = await startTertulia({
    connections: [bots, consumer, monitor],
    token: 'of-the-test',
    settings: { webhooks: { allow_internal: true } },
  });
  ({ platform, tertulia } = running);
});
after(() => running?.stop());

/** A conversation that the bot has. */
async function taken() {
  const id = await platform.open();
  await platform.say(id, 'hello');
  await platform.until(async () =>
    (await tertulia.conversations({ connection: 'bots' }).all()).some(({ conversationId }) => conversationId === id),
  );
  return { id, conversation: tertulia.connection('bots').conversation(id) };
}

/** The texts of agents' messages. */
const said = async (id) =>
  (await platform.ledger(id)).filter(({ role, text }) => role !== 'CONSUMER' && text !== null).map(({ text }) => text);

test('a bot answers every message, in order', async () => {
  const stop = new AbortController();
  const bot = tertulia.bot(
    async (event) => {
      if (event.data.role === 'CONSUMER') await event.reply(`You said: ${event.data.body}`);
    },
    { connection: 'bots', type: 'message', signal: stop.signal, after: 'earliest', name: 'echo' },
  );
  const ids = await Promise.all([1, 2, 3].map(() => platform.open()));
  for (const text of ['one', 'two', 'three']) await Promise.all(ids.map((id) => platform.say(id, text)));
  for (const id of ids) {
    assert.deepEqual(await platform.answers(id, { count: 3 }), ['You said: one', 'You said: two', 'You said: three']);
  }
  stop.abort();
  await bot;
});

test('a handler that runs again says nothing twice, also in other words', async () => {
  const { id } = await taken();
  const first = async () => {
    for await (const event of tertulia.events({
      connection: 'bots',
      conversation: id,
      type: 'message',
      after: 'earliest',
    }))
      return event;
  };
  const event = await first();
  assert.deepEqual(await event.reply('said once'), { key: `${event.id}/0`, sequence: 1 });
  assert.deepEqual(await (await first()).reply('said once'), { key: `${event.id}/0`, sequence: 1 });
  const again = await (await first()).reply('said differently');
  assert.deepEqual(again, { key: `${event.id}/0`, sequence: null, repeated: true });
  await (await first()).conversation.note('written once');
  assert.equal((await (await first()).conversation.note('written differently')).repeated, true);
  assert.deepEqual(await said(id), ['said once']);
});

test('a position that the log never had gives a gap, and the log ends', async () => {
  const cursor = memoryCursor('0-7');
  for await (const event of tertulia.events({ cursor, type: 'message' })) {
    assert.equal(event.type, 'tertulia.gap');
    break;
  }
  const { id } = await taken();
  const [event] = await platform.until(async () => {
    const events = await tertulia.log({ connection: 'bots', conversation: id, type: 'conversation' }).all();
    return events.length > 0 && events;
  });
  assert.equal(event.subject, id);
});

test('the commands of a conversation', async () => {
  const { id, conversation } = await taken();
  assert.equal((await conversation.get()).conversationId, id);
  await conversation.chatState();
  await conversation.read(0);
  await conversation.accept([0]);
  await conversation.send({ text: 'in private', private: true });
  await conversation.send({ richText: { type: 'vertical', elements: [{ type: 'text', text: 'rich' }] } });
  const { sequence } = await conversation.send('in public', { key: 'mine' });
  assert.deepEqual(await conversation.send('in public', { key: 'mine' }), { key: 'mine', sequence });
  const messages = await conversation.messages();
  assert.deepEqual(
    messages.filter(({ body }) => typeof body === 'string').map(({ body }) => body),
    ['hello', 'in private', 'in public'],
  );
  await conversation.note('a note');
  await conversation.ttr('URGENT');
  await conversation.ttr({ ttrType: 'CUSTOM', value: 900 });
  await conversation.manualEttr(Date.now() + 60_000);
  assert.deepEqual(await conversation.commands().all(), []);
  await assert.rejects(conversation.cancelCommand('none'), { code: 'unknown-command', status: 404 });
  const pdf = new Blob(['%PDF-1.4'], { type: 'application/pdf' });
  const sent = await conversation.sendFile(pdf, { name: 'bill.pdf', caption: 'The bill', key: 'bill' });
  assert.deepEqual(await conversation.sendFile(pdf, { name: 'bill.pdf', caption: 'The bill', key: 'bill' }), sent);
  const files = (await conversation.messages()).filter(
    ({ body }) => typeof body === 'object' && body.relativePath !== undefined,
  );
  assert.equal(files.length, 1);
  assert.equal(await (await conversation.file(files[0].body.relativePath)).text(), '%PDF-1.4');
  await conversation.snapshot();
  await conversation.close({ survey: false });
  await platform.until(async () => (await conversation.get()).stage === 'CLOSE');
  await assert.rejects(conversation.send('too late'), { code: 'no-open-dialog', status: 409 });
});

test('transfer, join, leave and snapshots', async () => {
  const { id, conversation } = await taken();
  await conversation.transfer({ skillId: '501' });
  await platform.until(async () => (await conversation.get()).skillId === '501');
  const monitor = tertulia.conversation(id, { connection: 'monitor' });
  const roles = async () => (await monitor.get()).participants.map(({ role }) => role);
  await platform.until(() =>
    roles().then(
      () => true,
      () => false,
    ),
  );
  await assert.rejects(tertulia.conversation(id).send('x'), { code: 'ambiguous-connection', status: 409 });
  await monitor.join('MANAGER');
  await platform.until(async () => (await roles()).includes('MANAGER'));
  await monitor.leave();
  await platform.until(async () => !(await roles()).includes('MANAGER'));
  const snapshot = await conversation.snapshot();
  // Only a connection without a socket loads and unloads.
  await assert.rejects(conversation.unload(), { code: 'not-supported' });
  await assert.rejects(tertulia.loadConversation(snapshot, { connection: 'bots' }), { code: 'not-supported' });
});

test('a consumer opens a conversation, speaks and rates', async () => {
  const consumer = tertulia.connection('consumer');
  const { conversationId } = await consumer.createConversation({ skillId: '-1' });
  const conversation = consumer.conversation(conversationId);
  await conversation.send('from a consumer');
  await conversation.close();
  await conversation.csat(4).catch((error) => assert.equal(error.name, 'ProblemError'));
  const texts = (await platform.ledger(conversationId)).map(({ text }) => text);
  assert.ok(texts.includes('from a consumer'));
});

test('connections, their requests, and the services of the platform', async () => {
  const bots = tertulia.connection('bots');
  assert.deepEqual(
    (await tertulia.connections().all()).map(({ id }) => id),
    ['bots', 'consumer', 'monitor'],
  );
  assert.equal((await bots.agentState('AWAY')).agentState, 'AWAY');
  await bots.agentState('ONLINE');
  const { account } = platform;
  const skills = await bots.platform(
    'accountConfigReadOnly',
    `api/account/${account}/configuration/le-users/skills?v=2.0`,
  );
  assert.equal(skills.status, 200);
  assert.ok(Array.isArray(await skills.json()));
  await assert.rejects(bots.platform('none', 'x'), { code: 'unknown-service' });
  assert.ok(await bots.request({ type: '.ams.cm.QueryMessages', body: {} }).catch((error) => error.code));
  await tertulia.addConnection({ id: 'more', account, role: 'consumer' });
  await tertulia.connection('more').restart();
  await tertulia.connection('more').remove();
  await assert.rejects(tertulia.connection('more').get(), { code: 'unknown-connection' });
});

test('webhooks, bulk jobs, dead letters and the state of the service', async () => {
  const { id, secret } = await tertulia.createWebhook({ url: 'http://127.0.0.1:9/', enabled: false });
  assert.match(secret, /^whsec_/);
  const webhook = tertulia.webhook(id);
  assert.equal((await webhook.get()).state, 'disabled');
  assert.match((await webhook.rotateSecret()).secret, /^whsec_/);
  await webhook.test();
  await webhook.change({ enabled: false });
  await webhook.deliveries().all();
  assert.equal((await tertulia.webhooks().all()).length, 1);
  await webhook.delete();
  const { matched } = await tertulia.startBulkJob({ operation: 'close', filter: { skill: 'none' }, dryRun: true });
  assert.equal(matched, 0);
  const job = await tertulia.startBulkJob({ operation: 'close', filter: { skill: 'none' } });
  await platform.until(async () => (await tertulia.bulkJob(job.id).get()).ended !== null);
  assert.deepEqual(await tertulia.bulkJob(job.id).items().all(), []);
  assert.equal((await tertulia.bulkJobs().all()).length, 1);
  assert.deepEqual(await tertulia.deadLetters().all(), []);
  assert.deepEqual(await tertulia.deadLetterCauses().all(), []);
  assert.deepEqual(await tertulia.rings().all(), []);
  assert.equal((await tertulia.readiness()).ready, true);
  await tertulia.health();
  await tertulia.overview({ history: false });
  await tertulia.supervision();
  await assert.rejects(tertulia.nodes(), { code: 'not-found' });
  assert.match(await tertulia.metrics(), /^tertulia_/m);
  const archive = await (await tertulia.backup()).arrayBuffer();
  assert.ok(archive.byteLength > 1_000);
});

test('a caller without a token is refused', async () => {
  await assert.rejects(connect({ url: tertulia.url }).overview(), { code: 'unauthenticated', status: 401 });
});

test(
  'a WebSocket of events',
  { skip: globalThis.WebSocket === undefined && 'this Node has no global WebSocket' },
  async () => {
    const socket = await tertulia.socket({ type: 'conversation', after: 'earliest' });
    const message = new Promise((resolve) => socket.addEventListener('message', resolve, { once: true }));
    await taken();
    assert.equal(JSON.parse((await message).data).type, 'tertulia.conversation');
    socket.close();
  },
);
