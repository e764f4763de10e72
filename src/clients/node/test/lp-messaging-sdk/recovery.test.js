// Bots on connections and services that are lost, over a real service and stand-in.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import lpm from '../../lp-messaging-sdk/index.js';
import { next, Stage, until } from './support.js';

const { ConnectionState, ParticipantRole, UserType } = lpm;

let stage;
let manager;

before(async () => {
  stage = await Stage.set();
  manager = await stage.brand('bot1');
});
after(() => stage.strike());

const ids = async () => (await stage.tertulia.connections().all()).map(({ id }) => id);

test('each message is answered once, although the connection is lost again and again', async () => {
  const bot = stage.make({ userType: UserType.BRAND, authData: { username: 'bot20', password: 'secret' } });
  bot.on('conversation', (conversation) => {
    const seen = new Set();
    const answer = (message) => {
      const isMine = conversation.openDialog?.getSelfParticipant() != null;
      if (!isMine || message.participant.role !== ParticipantRole.CONSUMER || seen.has(message.sequence)) return;
      seen.add(message.sequence);
      conversation.sendMessage(`answer to ${message.body}`).catch((error) => bot.errors.push(error));
    };
    conversation.on('message', answer);
    // What was said before the bot joined is in the history only.
    conversation.on('participant-added', async () => (await conversation.queryMessages()).forEach(answer));
    conversation.join(ParticipantRole.AGENT).catch((error) => bot.errors.push(error));
  });
  const others = new Set((await stage.platform.ledger()).map(({ conversation }) => conversation));
  await bot.open();
  await stage.platform.traffic({ conversations: 8, messages: 4, rate: 30 });
  const answers = async () =>
    (await stage.platform.ledger()).filter(
      ({ conversation, text }) => !others.has(conversation) && text?.startsWith('answer to '),
    );
  for (const count of [6, 14, 22]) {
    await until(async () => (await answers()).length >= count && bot.state === ConnectionState.CONNECTED);
    const lost = next(bot, 'disconnect');
    await stage.platform.fault({ fault: 'drop', side: 'brand', user: 'bot20' });
    await lost;
  }
  await until(async () => (await answers()).length >= 32);
  const given = (await answers()).map(({ conversation, text }) => `${conversation} ${text}`);
  assert.deepEqual([given.length, new Set(given).size, bot.errors], [32, 32, []]);
  await bot.close();
});

test('a login that another connection holds is refused with its reason', async () => {
  await assert.rejects(stage.brand('bot1', { connection: 'another' }), { code: 'login_held' });
  for (const options of [{}, { agentId: manager.agentId }]) {
    const found = await stage.brand('bot1', options);
    assert.equal(found.gatewayConnection, 'bots');
    await found.close();
  }
});

test('a service that was killed gets the connection of the bot again, and the bot goes on', async () => {
  const bot = await stage.brand('bot18');
  const id = bot.gatewayConnection;
  const consumer = await stage.platform.open({ consumer: 'patient' });
  const conversation = await stage.seen(bot, consumer);
  await conversation.join(ParticipantRole.AGENT);
  await stage.service.kill();
  await stage.service.start();
  await until(async () => (await ids()).includes(id));
  const heard = next(conversation, 'message');
  await stage.platform.say(consumer, 'still there?');
  assert.equal((await heard).body, 'still there?');
  await conversation.sendMessage('yes');
  assert.deepEqual(await stage.platform.answers(consumer), ['yes']);
});
