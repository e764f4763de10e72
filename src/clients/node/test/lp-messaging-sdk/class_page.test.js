// Each name of the class page of a conversation, over a real service and stand-in: members, methods, events.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import lpm from '../../lp-messaging-sdk/index.js';
import { next, recorded, Stage, until } from './support.js';

const { CsatStatus, DialogType, ParticipantRole, TTRType, UserType } = lpm;

/** A picture of one pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const bytes = (buffer) => buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length);

let stage;
/** The manager's connection. */
let manager;

before(async () => {
  stage = await Stage.set();
  manager = await stage.brand('bot1');
});
after(() => stage.strike());

/** A conversation that the manager has taken. */
async function taken(options) {
  const conversation = await stage.conversation(manager, options);
  await conversation.brands.join(ParticipantRole.ASSIGNED_AGENT);
  await until(() => conversation.brands.assignedAgent);
  return conversation;
}

/** A state of the platform's protocol for a conversation, with some details changed. */
function state({ conversationId, skill, stage: stageNow, updateTime }, details = {}) {
  const changed = { skillId: skill?.skillId, stage: stageNow, metaDataLastUpdateTs: updateTime, ...details };
  return { convId: conversationId, conversationDetails: changed };
}

const MEMBERS = {
  async appInstId() {
    await stage.tertulia.addConnection({
      id: 'connector',
      account: stage.account,
      role: 'connector',
      login: { app_key: 'my-app', secret: 's' },
    });
    const opening = { consumer: { id: 'whatsapp:15550100' } };
    const opened = await until(() =>
      stage.tertulia
        .connection('connector')
        .createConversation(opening)
        .catch(() => null),
    );
    const conversation = await stage.seen(manager, opened.conversationId);
    assert.equal(conversation.appInstId, 'my-app');
    const { brands } = await stage.conversation(manager);
    assert.equal(brands.appInstId, null);
  },

  async assignedAgent() {
    const { brands, consumers } = await stage.conversation(manager);
    assert.equal(brands.assignedAgent, null);
    await brands.join(ParticipantRole.ASSIGNED_AGENT);
    await until(() => brands.assignedAgent);
    assert.equal(brands.assignedAgent.agentId, manager.agentId);
    assert.equal(brands.assignedAgent.role, ParticipantRole.ASSIGNED_AGENT);
    await until(() => consumers.assignedAgent);
    assert.equal(consumers.assignedAgent.userId, manager.userId);
    await brands.close();
    assert.equal(brands.assignedAgent, null);
  },

  async campaignId() {
    const { brands } = await stage.conversation(manager, { campaignInfo: { campaignId: 7, engagementId: '8' } });
    assert.deepEqual([brands.campaignId, brands.engagementId], [7, 8]);
  },

  async consumer() {
    const { brands, consumers, consumer } = await stage.conversation(manager);
    assert.equal(brands.consumer.userId, consumer.userId);
    assert.equal(brands.consumer.agentId, null);
    assert.equal(consumers.consumer.userId, consumer.userId);
    await consumers.close();
    await until(() => brands.stage === 'CLOSE');
    assert.equal(brands.consumer, null);
  },

  async handlerAccountId() {
    const { brands } = await taken();
    assert.equal(brands.handlerAccountId, stage.account);
    const handler = { field: 'ConversationHandler', accountId: '87654321', skillId: '9' };
    const body = { conversationId: brands.conversationId, conversationField: [handler] };
    await manager.send({ type: '.ams.cm.UpdateConversationField', body });
    await until(() => brands.handlerAccountId === '87654321');
    assert.equal(brands.handlerSkillId, '9');
  },

  async note() {
    const { brands } = await taken();
    assert.equal(brands.note, null);
    await brands.setNote('wants a refund');
    await until(() => brands.note === 'wants a refund');
    await brands.setNote('');
    await until(() => brands.note === null);
  },

  async notificationCount() {
    const { brands } = await stage.conversation(manager);
    assert.equal(brands.notificationCount, 1);
    await brands.join(ParticipantRole.READER);
    await until(() => brands.notificationCount === 2);
  },

  async notificationIgnoredCount() {
    const reader = await stage.brand('bot2');
    await stage.platform.fault({ fault: 'duplicate', side: 'brand', user: 'bot2', count: 1_000 });
    const { brands } = await stage.conversation(manager);
    const conversation = await stage.seen(reader, brands.conversationId);
    const ignored = next(conversation, 'notification-ignored');
    await brands.join(ParticipantRole.READER);
    await ignored;
    assert.ok(conversation.notificationIgnoredCount >= 1);
  },

  async notificationOutOfOrderCount() {
    const { brands } = await stage.conversation(manager);
    const late = state(brands, { metaDataLastUpdateTs: brands.updateTime - 1 });
    const emitted = next(brands, 'notification-out-of-order');
    brands.processStateNotification(late);
    assert.equal(await emitted, late);
    assert.equal(brands.notificationOutOfOrderCount, 1);
  },

  async numberOfunreadMessages() {
    const { brands, consumers } = await taken();
    await consumers.sendMessage('one');
    await until(() => brands.numberOfunreadMessages?.[manager.userId] === 1);
    await brands.openDialog.sendReadStatus([0]);
    await until(() => !brands.numberOfunreadMessages?.[manager.userId]);
  },

  async ttrEffective() {
    const { brands } = await taken();
    const time = Date.now() + 600_000;
    await brands.setManualETTR(time);
    await until(() => brands.ttrEffective === time);
  },
};

const METHODS = {
  async consumerTakeover() {
    const { consumers, brands, consumer } = await taken();
    const before = consumer.userId;
    const stepped = next(brands, 'consumer-step-up');
    await consumers.consumerTakeover('ann');
    const { participant, previous } = await stepped;
    assert.deepEqual([participant.userId, previous.userId], ['ann', before]);
    assert.equal(brands.consumer.userId, 'ann');
    await assert.rejects(brands.consumerTakeover(), /newConsumerUserId is required/);
  },

  async getDialog() {
    const { brands } = await taken();
    const main = brands.getDialog(DialogType.MAIN);
    assert.equal(main, brands.mainDialog);
    assert.equal(brands.getDialog(DialogType.POST_SURVEY), null);
    await main.close();
    await until(() => brands.getDialog(DialogType.POST_SURVEY));
    await until(() => brands.openDialog === brands.getDialog(DialogType.POST_SURVEY));
  },

  async join() {
    const { brands } = await stage.conversation(manager);
    await brands.join(ParticipantRole.AGENT);
    await until(() => brands.openDialog.getSelfParticipant());
    assert.equal(brands.openDialog.getSelfParticipant().role, ParticipantRole.AGENT);
    await brands.leave();
    await until(() => brands.openDialog.getSelfParticipant() === null);
  },

  async processStateNotification() {
    const { brands } = await stage.conversation(manager);
    const counted = brands.notificationCount;
    const changed = next(brands, 'skill-change');
    const accepted = next(brands, 'notification');
    const whole = state(brands, { skillId: '502', metaDataLastUpdateTs: brands.updateTime + 1 });
    brands.processStateNotification(whole);
    assert.deepEqual(await changed, { prevSkillId: '-1', newSkillId: '502' });
    assert.equal(await accepted, whole);
    assert.deepEqual([brands.skill.skillId, brands.notificationCount], ['502', counted + 1]);
    brands.processStateNotification(structuredClone(whole));
    assert.deepEqual([brands.notificationCount, brands.notificationIgnoredCount], [counted + 1, 1]);
  },

  async queryMessages() {
    const { brands, consumers } = await taken();
    for (const text of ['one', 'two', 'three']) await consumers.sendMessage(text);
    const all = await brands.queryMessages();
    assert.deepEqual(
      all.map(({ sequence, body }) => [sequence, body]),
      [
        [0, 'one'],
        [1, 'two'],
        [2, 'three'],
      ],
    );
    const some = await brands.queryMessages({ sequenceMin: '1', sequenceMax: '2' });
    assert.deepEqual(
      some.map(({ body }) => body),
      ['two', 'three'],
    );
    assert.equal(some[0], brands.openDialog.messages[1]);
    await assert.rejects(consumers.queryMessages(), { code: 'not-supported' });
  },

  async sendMessage() {
    const { brands, consumers } = await taken();
    const heard = next(consumers, 'message');
    const metadata = { type: 'ExternalId', id: 'mine' };
    const quickReplies = {
      type: 'quickReplies',
      itemsPerRow: 2,
      replies: [{ type: 'button', title: 'yes', click: { actions: [{ type: 'publishText', text: 'yes' }] } }],
    };
    assert.deepEqual(await brands.sendMessage('hello', metadata, quickReplies), { sequence: 0 });
    const message = await heard;
    assert.deepEqual([message.sequence, message.body, message.contentType], [0, 'hello', 'text/plain']);
    assert.equal(message.participant.userId, manager.userId);
    assert.ok(message.metadata.some(({ id }) => id === 'mine'));
    assert.deepEqual(message.quickReplies, quickReplies);
    await assert.rejects(brands.sendMessage(''), /empty message/);
    await assert.rejects(brands.sendMessage('x'.repeat(8_001)), { code: 'text-too-long' });
  },

  async sendPrivateMessage() {
    const { brands, consumers } = await taken();
    const heard = next(brands, 'message');
    await brands.sendPrivateMessage('between us');
    const message = await heard;
    assert.deepEqual([message.body, message.messageAudience], ['between us', 'AGENTS_AND_MANAGERS']);
    await brands.sendMessage('for all');
    await until(() => consumers.openDialog.messages.length > 0);
    assert.deepEqual(
      consumers.openDialog.messages.map(({ body }) => body),
      ['for all'],
    );
  },

  async sendRichText() {
    const { brands, consumers } = await taken();
    const heard = next(consumers, 'message');
    const card = { type: 'vertical', elements: [{ type: 'text', text: 'a card' }] };
    assert.deepEqual(await brands.sendRichText(card, [{ type: 'ExternalId', id: 'card' }]), { sequence: 0 });
    const message = await heard;
    assert.deepEqual(message.body, card);
    assert.equal(message.contentType, lpm.ContentType.RICH_TEXT);
    await assert.rejects(brands.sendRichText({ type: 'vertical', elements: 'none' }), { code: 'rich-text-invalid' });
  },

  async setAgentNote() {
    const { brands } = await taken();
    const first = await brands.setAgentNote({ noteContent: 'one' });
    assert.equal(first.truncated, false);
    await brands.setAgentNote('two', '12345678.7', 'Ann', '12345678.7::5', true);
    await until(() => brands.note?.includes('two'));
    const notes = JSON.parse(brands.note);
    assert.deepEqual(
      notes.map(({ noteContent }) => noteContent),
      ['one', 'two'],
    );
    assert.equal(notes[0].agentId, manager.agentId);
    assert.deepEqual([notes[1].name, notes[1].noteId, notes[1].isAutoSummary], ['Ann', '12345678.7::5', true]);
    await assert.rejects(brands.setAgentNote({ noteContent: 'x'.repeat(6_000), truncateEnabled: false }), {
      code: 'note-too-long',
    });
    const cut = await brands.setAgentNote('x'.repeat(6_000));
    assert.equal(cut.truncated, true);
    assert.match(cut.truncatedText, /^x+$/);
    await assert.rejects(brands.setAgentNote('no more'), /^Error: No room left to add agent note$/);
  },

  async setCsat() {
    const { brands, consumers } = await taken();
    await consumers.setCsat('5', true, CsatStatus.FILLED);
    await until(() => brands.csat === 5);
    for (const rate of ['10', '-1', undefined, 'five'])
      await assert.rejects(consumers.setCsat(rate, true), /csatRate must be/);
  },

  async setManualETTR() {
    const { brands } = await taken();
    const time = Date.now() + 60_000;
    await brands.setManualETTR(time);
    await until(() => brands.ttrEffectiveManual === time);
  },

  async setNote() {
    const { brands, consumers } = await taken();
    await brands.setAgentNote('an agent note');
    await brands.setNote('everything');
    await until(() => brands.note === 'everything');
    await brands.close();
    await until(() => consumers.stage === 'CLOSE');
    await assert.rejects(brands.setNote('late'), /no open dialog/);
  },

  async setTTR() {
    const { brands, consumers } = await taken();
    await brands.setTTR(TTRType.URGENT);
    await until(() => brands.ttrType === TTRType.URGENT);
    await brands.setTTR(TTRType.CUSTOM, 120);
    await until(() => brands.ttrValue === 120);
    await consumers.setTTR(TTRType.PRIORITIZED);
    await until(() => brands.ttrType === TTRType.PRIORITIZED);
  },

  async transfer() {
    const { brands } = await taken();
    await assert.rejects(brands.transfer({ agentId: manager.agentId }), { code: 'same-agent' });
    await brands.transfer();
    assert.equal(brands.assignedAgent.agentId, manager.agentId);
    await brands.transfer({ skillId: '501' });
    await until(() => brands.skill.skillId === '501' && brands.assignedAgent === null);
    await brands.join(ParticipantRole.ASSIGNED_AGENT);
    const other = await stage.brand('bot3');
    await brands.transfer({ agentId: other.agentId, skillId: '502' });
    await until(() => brands.assignedAgent?.agentId === other.agentId);
    assert.equal(brands.skill.skillId, '502');
  },

  async unload() {
    const { brands } = await stage.conversation(manager);
    assert.throws(() => brands.unload(), /was not loaded/);
    const offline = lpm.createConnection({
      accountId: stage.account,
      connectionType: lpm.ConnectionType.NULL,
      conversationsCacheDuration: 0,
    });
    const loaded = offline.loadConversation(brands.serialize());
    assert.equal(offline.getConversationById(brands.conversationId), loaded);
    loaded.unload();
    await until(() => offline.getConversationById(brands.conversationId) === null);
    assert.throws(() => loaded.unload(), /was not loaded/);
  },

  async uploadFile() {
    const { brands, consumers } = await taken();
    const heard = next(consumers, 'message');
    assert.deepEqual(await brands.uploadFile(bytes(PNG), 'a pixel'), { sequence: 0 });
    const message = await heard;
    assert.deepEqual([message.isDownloadable, message.caption, message.fileType], [true, 'a pixel', 'PNG']);
    const { data, filename } = await consumers.downloadFile(message.relativePath);
    assert.deepEqual(Buffer.from(data), PNG);
    assert.match(filename, /\.png$/i);
    await assert.rejects(brands.uploadFile('text'), /must be an ArrayBuffer/);
    await assert.rejects(brands.uploadFile(bytes(Buffer.from('text'))), /not of the type/);
  },
};

const EVENTS = {
  async 'dialog:close'() {
    const { brands } = await taken();
    const order = recorded(brands, ['close', 'dialog:close']);
    const closed = next(brands, 'dialog:close');
    await brands.close();
    const emitted = await closed;
    assert.deepEqual([emitted.state, emitted.metaDataLastUpdateTs], ['CLOSE', brands.closeTime]);
    assert.deepEqual(
      emitted.participantDetails.map(({ role }) => role),
      ['CONSUMER', 'ASSIGNED_AGENT'],
    );
    assert.deepEqual(
      order.map(([name]) => name),
      ['close', 'dialog:close'],
    );
    assert.equal(brands.mainDialog.state, 'CLOSE');
  },

  async 'back-to-queue'() {
    const { brands } = await taken();
    const events = recorded(brands, ['participant-removed', 'back-to-queue', 'transfer-skill']);
    const back = next(brands, 'back-to-queue');
    await brands.leave();
    assert.equal(await back, undefined);
    assert.deepEqual(
      events.map(([name]) => name),
      ['participant-removed', 'back-to-queue'],
    );
  },

  async 'consumer-step-up'() {
    const { brands, consumers } = await taken();
    const events = recorded(brands, ['participant-added', 'participant-removed', 'consumer-step-up']);
    await consumers.consumerTakeover('known-ann');
    await until(() => events.length === 3);
    assert.deepEqual(
      events.map(([name]) => name),
      ['participant-added', 'participant-removed', 'consumer-step-up'],
    );
    assert.equal(events[2][1].participant.userId, 'known-ann');
  },

  async 'group-change'() {
    const { brands } = await stage.conversation(manager);
    for (const [group, previous] of [
      ['7', null],
      ['8', '7'],
    ]) {
      const changed = next(brands, 'group-change');
      brands.processStateNotification(state(brands, { groupId: group, metaDataLastUpdateTs: brands.updateTime + 1 }));
      assert.deepEqual(await changed, { prevGroupId: previous, newGroupId: group });
    }
  },

  async 'manual-ettr-change'() {
    const { brands } = await taken();
    const changed = next(brands, 'manual-ettr-change');
    const time = Date.now() + 90_000;
    await brands.setManualETTR(time);
    assert.deepEqual(await changed, { ttrEffectiveManual: time, ttrEffective: time });
  },

  async 'participant-added'() {
    const { brands } = await taken();
    const events = recorded(brands, ['participant-added']);
    const agent = await stage.brand('bot4');
    await agent.setAgentState({ agentState: lpm.AgentState.ONLINE });
    await agent.createRoutingTaskSubscription();
    const ring = new Promise((resolve) => {
      agent.on('ring', (each) => each.conversationId === brands.conversationId && resolve(each));
    });
    await brands.transfer({ agentId: agent.agentId });
    await (await ring).accept();
    await until(() => events.length === 1);
    const [[, { participant, context }]] = events;
    assert.deepEqual(
      [participant.agentId, participant.state, context],
      [agent.agentId, 'ACTIVE', { previouslySuggested: true }],
    );
    await brands.join(ParticipantRole.READER);
    await until(() => events.length === 2);
    assert.deepEqual(events[1][1].context, { previouslySuggested: false });
  },

  async 'participant-removed'() {
    const { brands } = await taken();
    const removed = next(brands, 'participant-removed');
    await brands.leave();
    const participant = await removed;
    assert.deepEqual([participant.agentId, participant.state], [manager.agentId, 'REMOVED']);
  },

  async 'participant-suggested'() {
    const { brands } = await taken();
    const suggested = next(brands, 'participant-suggested');
    const agent = await stage.brand('bot5');
    await brands.transfer({ agentId: agent.agentId });
    const participant = await suggested;
    assert.deepEqual([participant.agentId, participant.state], [agent.agentId, 'SUGGESTED']);
  },

  async 'participant-suggested-removed'() {
    const { brands } = await taken();
    const agent = await stage.brand('bot6');
    await agent.setAgentState({ agentState: lpm.AgentState.ONLINE });
    await agent.createRoutingTaskSubscription();
    const ring = new Promise((resolve) => {
      agent.on('ring', (each) => each.conversationId === brands.conversationId && resolve(each));
    });
    const removed = next(brands, 'participant-suggested-removed');
    const back = next(brands, 'back-to-queue');
    await brands.transfer({ agentId: agent.agentId });
    await (await ring).reject();
    assert.equal((await removed).agentId, agent.agentId);
    await back;
  },

  async 'transfer-agent'() {
    const { brands } = await taken();
    const events = recorded(brands, [
      'skill-change',
      'participant-suggested',
      'transfer-agent',
      'participant-removed',
      'transfer-skill',
    ]);
    const agent = await stage.brand('bot7');
    await brands.transfer({ agentId: agent.agentId, skillId: '501' });
    await until(() => events.length === 4);
    // With an agent suggested, a change of the skill is no transfer to the skill.
    assert.deepEqual(
      events.map(([name]) => name),
      ['skill-change', 'participant-suggested', 'transfer-agent', 'participant-removed'],
    );
    assert.equal(events[2][1].agentId, agent.agentId);
  },

  async 'transfer-skill'() {
    const { brands } = await taken();
    const events = recorded(brands, ['skill-change', 'participant-removed', 'transfer-skill', 'back-to-queue']);
    await brands.transfer({ skillId: '502' });
    await until(() => events.length === 3);
    assert.deepEqual(
      events.map(([name]) => name),
      ['skill-change', 'participant-removed', 'transfer-skill'],
    );
    assert.deepEqual(events[0][1], { prevSkillId: '-1', newSkillId: '502' });
    assert.deepEqual(events[2][1], { skillId: '502' });
  },

  async 'ttr-change'() {
    const { brands, consumers } = await taken();
    const changed = next(brands, 'ttr-change');
    await consumers.setTTR(TTRType.URGENT);
    const { ttrType, ttrValue, ttrEffective } = await changed;
    assert.deepEqual([ttrType, typeof ttrValue], [TTRType.URGENT, 'number']);
    assert.equal(ttrEffective, brands.ttrEffective);
  },
};

test('each name of the class page has a test', async () => {
  const page = await readFile(new URL('../../../../../actors/src/class_page.md', import.meta.url), 'utf8');
  const names = (row) =>
    [...page.matchAll(new RegExp(`\\(crate::rules#cv-${row}\\d+\\) \\| \`([^\`]+)\``, 'g'))].map(([, name]) => name);
  for (const [row, tests] of [
    ['m', MEMBERS],
    ['f', METHODS],
    ['e', EVENTS],
  ]) {
    assert.deepEqual(Object.keys(tests).sort(), names(row).sort());
    assert.ok(names(row).length > 10);
  }
});

for (const [kind, tests] of Object.entries({ member: MEMBERS, method: METHODS, event: EVENTS })) {
  describe(`${kind}s`, { concurrency: 8 }, () => {
    for (const [name, check] of Object.entries(tests)) test(`the ${kind} ${name}`, check);
  });
}

test('the connection of the class page had no errors in the background', () => {
  assert.deepEqual(manager.errors, []);
  assert.equal(manager._options.userType, UserType.BRAND);
});
