// Bots as users of lp-messaging-sdk write them: each runs as a process of its own, against a real service and stand-in.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import lpm from '../../lp-messaging-sdk/index.js';
import { next, Stage, until } from './support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const examples = join(root, 'lp-messaging-sdk/examples');

let stage;
let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tertulia-sdk-examples-'));
  await cp(examples, folder, { recursive: true });
  await mkdir(join(folder, 'node_modules'));
  await symlink(root, join(folder, 'node_modules/tertulia'));
  stage = await Stage.set({ connections: [] });
});
after(async () => {
  await stage?.strike();
  await rm(folder, { recursive: true, force: true });
});

/** Runs an example until the test ends; resolves when it has printed `ready`. */
async function run(t, name, login, ready = /^(connected|online)/, environment = {}) {
  const credentials = { ACCOUNT_ID: stage.account, LP_USERNAME: login, LP_PASSWORD: 'secret' };
  const env = { ...process.env, TERTULIA_URL: stage.service.url, ...credentials, ...environment };
  const bot = spawn(process.execPath, [name], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = [];
  createInterface(bot.stdout).on('line', (line) => lines.push(line));
  const ended = once(bot, 'exit');
  t.after(async () => {
    bot.kill('SIGTERM');
    // It closes its connection, after which nothing holds the process.
    const [code] = await ended;
    assert.equal(code, 0);
  });
  const printed = (pattern) => until(() => lines.find((line) => pattern.test(line)));
  await printed(ready);
  return { lines, printed, ended };
}

/** A consumer of the SDK with an open conversation, and what the consumer hears from the other side. */
async function opened(t, options) {
  const connection = await stage.consumer();
  const conversation = await connection.createConversation(options);
  const heard = [];
  conversation.on('message', (message) => {
    if (!message.sentByCurrentUser()) heard.push(message);
  });
  t.after(() => conversation.stage === 'CLOSE' || conversation.close());
  return {
    conversation,
    heard,
    connection,
    answers: (count = 1) => until(() => heard.length >= count && heard.map(({ body }) => body)),
  };
}

test('greeting.js greets', async (t) => {
  await run(t, 'greeting.js', 'bot3');
  const { answers } = await opened(t);
  assert.deepEqual(await answers(), ['Welcome! An agent will be with you shortly.']);
});

test('echo.js repeats what is said, and sees the close', async (t) => {
  const { printed } = await run(t, 'echo.js', 'bot4');
  const { conversation, answers } = await opened(t);
  await printed(/^joined/);
  await conversation.sendMessage('one');
  await conversation.sendMessage('two');
  assert.deepEqual((await answers(2)).sort(), ['You said: one', 'You said: two']);
  await conversation.close();
  await printed(/^closed/);
});

test('agent.js takes a conversation, answers and closes it', async (t) => {
  const { printed } = await run(t, 'agent.js', 'bot5');
  const { conversation, answers } = await opened(t);
  await printed(/^accepted/);
  await until(() => conversation.assignedAgent);
  await conversation.sendMessage('hello');
  assert.deepEqual(await answers(), ['How can I help you?']);
  const closed = next(conversation, 'close');
  await conversation.sendMessage('bye');
  await closed;
  assert.equal(conversation.closeReason, 'AGENT');
});

test('consumer.js asks, prints the answer, rates and closes', async (t) => {
  const manager = await stage.brand('bot2', { defaultSubscriptionQuery: { stage: ['OPEN', 'CLOSE'] } });
  t.after(() => manager.close());
  const { lines, printed, ended } = await run(t, 'consumer.js', '', /^opened/);
  const conversation = await stage.seen(manager, lines[0].split(' ')[1]);
  assert.deepEqual(
    [conversation.skill.skillId, conversation.campaignId, conversation.clientProperties.deviceFamily],
    ['501', 111, 'DESKTOP'],
  );
  await conversation.join(lpm.ParticipantRole.AGENT);
  await conversation.sendMessage('At your door');
  await printed(/^answer: At your door$/);
  await ended;
  await until(() => conversation.stage === 'CLOSE' && conversation.csat === 5);
});

test('survey.js asks after the main dialog has closed', async (t) => {
  const { printed } = await run(t, 'survey.js', 'bot6');
  const { conversation, answers } = await opened(t);
  await conversation.sendMessage('done');
  await conversation.mainDialog.close();
  assert.deepEqual(await answers(), ['How was it, from 1 to 5?']);
  await conversation.sendMessage('5');
  await printed(/^rated 5$/);
  assert.deepEqual(await answers(2), ['How was it, from 1 to 5?', 'Thank you!']);
  await until(() => conversation.stage === 'CLOSE');
});

test('transfer.js hands over, and reports it', async (t) => {
  const { printed } = await run(t, 'transfer.js', 'bot7', undefined, { LP_SKILL: '502' });
  const { conversation, answers } = await opened(t);
  await until(() => conversation.assignedAgent);
  await conversation.sendMessage('help');
  await answers(1);
  await conversation.sendMessage('agent');
  assert.deepEqual(await answers(2), ['Say "agent" to talk to a person.', 'I will find somebody for you.']);
  await printed(/^transferred to skill 502/);
  await until(() => conversation.skill.skillId === '502' && conversation.assignedAgent === null);
});

test('rich_content.js sends a card and quick replies', async (t) => {
  await run(t, 'rich_content.js', 'bot8');
  const { conversation, heard } = await opened(t);
  await until(() => conversation.openDialog.participants.length > 1);
  await conversation.sendMessage('show me');
  await until(() => heard.length === 2);
  assert.equal(heard[0].body.elements[1].title, 'Buy');
  assert.deepEqual([heard[1].body, heard[1].quickReplies.replies.length], ['Do you like it?', 2]);
});

test('notes.js writes a summary at the end', async (t) => {
  const { printed } = await run(t, 'notes.js', 'bot9');
  const { conversation } = await opened(t);
  await printed(/^watching/);
  await conversation.sendMessage('my shoes are too small');
  await conversation.close();
  await printed(/^noted .* in full$/);
  const bot = stage.tertulia.connection(`lp-messaging-sdk.${stage.account}.bot9`);
  const note = await until(async () => (await bot.conversation(conversation.conversationId).get()).note);
  const [{ noteContent, isAutoSummary }] = JSON.parse(note);
  assert.deepEqual([noteContent, isAutoSummary], ['The consumer said: my shoes are too small', true]);
});

test('read_receipts.js reads, and sees what was read', async (t) => {
  const { printed } = await run(t, 'read_receipts.js', 'bot10');
  const { conversation, heard } = await opened(t);
  await printed(/^joined/);
  await conversation.sendMessage('read this');
  await until(() => heard.length === 1);
  assert.equal(heard[0].body, 'I have read it.');
  await until(() => conversation.openDialog.messages.length === 2);
  await heard[0].read();
  await printed(/^the consumer read \d+$/);
});

test('typing.js shows that it writes', async (t) => {
  const { printed } = await run(t, 'typing.js', 'bot11');
  const { conversation, answers } = await opened(t);
  await printed(/^joined/);
  await until(() => conversation.openDialog.participants.length > 1);
  const states = [];
  conversation.openDialog.participants.at(-1).on('chatStateChange', (chatState) => states.push(chatState));
  await conversation.openDialog.setChatState('COMPOSING');
  await printed(/^the consumer is COMPOSING$/);
  await conversation.sendMessage('loud');
  assert.deepEqual(await answers(), ['LOUD']);
  await until(() => states.length === 2);
  assert.deepEqual(states, ['COMPOSING', 'ACTIVE']);
});

test('limit_break.js sees all open conversations, and what changes', async (t) => {
  const before = await opened(t);
  const { lines, printed } = await run(t, 'limit_break.js', 'bot12', /^waiting/);
  assert.match(
    lines[0],
    /^limit break \{"creatingChildSub":false,"conversationLimitThreshold":900,"notificationChangeCount":\d+\}$/,
  );
  const { conversation } = await opened(t);
  await printed(new RegExp(`^new ${conversation.conversationId}$`));
  await before.conversation.close();
  await printed(new RegExp(`^gone ${before.conversation.conversationId}$`));
});

test('each example has a test, and differs from a bot on the SDK only in what it requires', async () => {
  const names = (await readdir(examples)).filter((name) => name.endsWith('.js'));
  const tests = await readFile(fileURLToPath(import.meta.url), 'utf8');
  for (const name of names) {
    assert.ok(tests.includes(`test('${name} `), `${name} has no test`);
    const text = await readFile(join(examples, name), 'utf8');
    assert.deepEqual(text.match(/.*tertulia.*/gi), ["const lpm = require('tertulia/lp-messaging-sdk');"]);
  }
  assert.equal(names.length, 11);
});
