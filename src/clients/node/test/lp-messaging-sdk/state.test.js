// What a state of the platform changes in a conversation, without a gateway: the order of events, row by row.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import lpm from '../../lp-messaging-sdk/index.js';
import { recorded } from './support.js';

const NAMES = [
  'skill-change',
  'participant-added',
  'participant-suggested',
  'transfer-agent',
  'participant-removed',
  'participant-suggested-removed',
  'back-to-queue',
  'consumer-step-up',
  'transfer-skill',
];
const CONSUMER = { id: 'c1', role: 'CONSUMER', state: 'ACTIVE' };
const agent = (id, state = 'ACTIVE', role = 'ASSIGNED_AGENT') => ({ id, role, state });

let clock = 0;

/** A state with these participants. */
function state(participants, details = {}, more = {}) {
  clock += 1;
  const dialog = {
    dialogId: 'conv',
    dialogType: 'MAIN',
    channelType: 'MESSAGING',
    state: 'OPEN',
    creationTs: 1,
    participantsDetails: participants,
  };
  const conversationDetails = {
    brandId: '1',
    skillId: '-1',
    stage: 'OPEN',
    startTs: 1,
    metaDataLastUpdateTs: clock,
    dialogs: [dialog],
    ...details,
  };
  return { convId: 'conv', conversationDetails, ...more };
}

/** A conversation in a first state, without a gateway. */
async function conversation(participants, details) {
  const connection = lpm.createConnection({ accountId: '1', connectionType: lpm.ConnectionType.NULL });
  const errors = recorded(connection, ['error']);
  const conversation = await new Promise((resolve) => {
    connection.on('conversation', resolve);
    take(connection, state(participants, details));
  });
  return { connection, conversation, errors, events: recorded(conversation, NAMES) };
}

function take(connection, result, type = '.ams.aam.ExConversationChangeNotification') {
  const body = type.endsWith('ChangeNotification') ? { changes: [{ type: 'UPSERT', result }] } : result;
  return connection.processWebhooksNotification({ wsNotificationMsg: { type, body } });
}

const names = (events) =>
  events.map(([name, payload]) => `${name} ${payload?.participant?.userId ?? payload?.userId ?? ''}`.trim());

const NEW_SKILL = { skillId: '501' };
/** Before, after, what else changes, and the events in their order. */
const ROWS = [
  ['an agent leaves', [agent('a')], [], {}, ['participant-removed a', 'back-to-queue']],
  [
    'an agent leaves for a skill',
    [agent('a')],
    [],
    NEW_SKILL,
    ['skill-change', 'participant-removed a', 'transfer-skill'],
  ],
  [
    'to another agent',
    [agent('a')],
    [agent('b', 'SUGGESTED')],
    {},
    ['participant-suggested b', 'transfer-agent b', 'participant-removed a'],
  ],
  [
    'to an agent and a skill',
    [agent('a')],
    [agent('b', 'SUGGESTED')],
    NEW_SKILL,
    ['skill-change', 'participant-suggested b', 'transfer-agent b', 'participant-removed a'],
  ],
  ['another agent at once', [agent('a')], [agent('b')], {}, ['participant-added b', 'participant-removed a']],
  ['an agent accepts', [], [agent('b')], {}, ['participant-added b']],
  ['a suggested agent accepts', [agent('b', 'SUGGESTED')], [agent('b')], {}, ['participant-added b']],
  [
    'a suggested agent declines',
    [agent('b', 'SUGGESTED')],
    [],
    {},
    ['participant-suggested-removed b', 'back-to-queue'],
  ],
  [
    'a suggested agent declines for a skill',
    [agent('b', 'SUGGESTED')],
    [],
    NEW_SKILL,
    ['skill-change', 'participant-suggested-removed b', 'transfer-skill'],
  ],
  ['the agent stays', [agent('a')], [agent('a')], NEW_SKILL, ['skill-change']],
  ['nobody has it', [], [], NEW_SKILL, ['skill-change', 'transfer-skill']],
  [
    'two leave',
    [agent('a'), agent('b', 'SUGGESTED')],
    [],
    {},
    ['participant-removed a', 'participant-suggested-removed b', 'back-to-queue'],
  ],
  ['a reader leaves', [agent('a'), agent('r', 'ACTIVE', 'READER')], [agent('a')], {}, ['participant-removed r']],
  ['a reader is suggested', [], [agent('r', 'SUGGESTED', 'READER')], {}, ['participant-suggested r']],
];

for (const [what, before, after, details, expected] of ROWS) {
  test(`events of a change of participants: ${what}`, async () => {
    const { connection, events, errors } = await conversation([CONSUMER, ...before]);
    await take(connection, state([CONSUMER, ...after], details));
    assert.deepEqual(names(events), expected);
    assert.deepEqual(errors, []);
  });
}

test('a consumer who is replaced has stepped up', async () => {
  const {
    connection,
    conversation: { openDialog },
    events,
  } = await conversation([CONSUMER]);
  await take(connection, state([{ ...CONSUMER, id: 'c2' }]));
  assert.deepEqual(names(events), ['participant-added c2', 'participant-removed c1', 'consumer-step-up c2']);
  assert.equal(events[2][1].previous.userId, 'c1');
  assert.equal(openDialog.getRemovedParticipant('c1').state, 'REMOVED');
});

test('the first state has no events, and a suggested agent counts as assigned', async () => {
  const {
    conversation: { assignedAgent, notificationCount },
    events,
  } = await conversation([CONSUMER, agent('b', 'SUGGESTED')]);
  assert.deepEqual([assignedAgent.userId, notificationCount, events], ['b', 1, []]);
});

test('a participant emits its changes', async () => {
  const {
    connection,
    conversation: { openDialog },
  } = await conversation([CONSUMER, agent('b', 'SUGGESTED')]);
  const [participant] = openDialog.participants.slice(1);
  const changes = recorded(participant, ['roleChange', 'stateChange', 'chatStateChange']);
  await take(connection, state([CONSUMER, agent('b', 'ACTIVE', 'MANAGER')]));
  const record = {
    conversationId: 'conv',
    dialogId: 'conv',
    originatorId: 'b',
    originatorMetadata: { role: 'MANAGER' },
    event: { type: 'ChatStateEvent', chatState: 'COMPOSING' },
  };
  await take(connection, record, 'ms.MessagingEventNotification');
  assert.deepEqual(changes, [
    ['roleChange', 'MANAGER'],
    ['stateChange', 'ACTIVE'],
    ['chatStateChange', 'COMPOSING'],
  ]);
  assert.deepEqual([participant.role, participant.state, participant.chatState], ['MANAGER', 'ACTIVE', 'COMPOSING']);
});

test('a participant who returns is the same one, active again, in the new role', async () => {
  const {
    connection,
    conversation: { openDialog },
  } = await conversation([CONSUMER, agent('b')]);
  const participant = openDialog.assignedAgent;
  await take(connection, state([CONSUMER]));
  assert.deepEqual(
    [participant.state, participant.chatState, openDialog.getRemovedParticipant('b')],
    ['REMOVED', 'REMOVED', participant],
  );
  await take(connection, state([CONSUMER, agent('b', 'ACTIVE', 'MANAGER')]));
  assert.equal(openDialog.getParticipant('b'), participant);
  assert.deepEqual([participant.state, participant.chatState, participant.role], ['ACTIVE', 'ACTIVE', 'MANAGER']);
  assert.equal(openDialog.getRemovedParticipant('b'), null);
});

test('members that are emptied become null, and members that are absent stay', async () => {
  const {
    connection,
    conversation: { conversationId },
  } = await conversation([CONSUMER], { note: 'a note', groupId: '7', csat: { csatRate: 4 } });
  const known = connection.getConversationById(conversationId);
  assert.deepEqual([known.note, known.groupId, known.csat], ['a note', '7', 4]);
  await take(connection, state([CONSUMER]));
  assert.deepEqual([known.note, known.groupId, known.csat], ['a note', '7', 4]);
  await take(connection, state([CONSUMER], { note: null, groupId: null, csat: null }));
  assert.deepEqual([known.note, known.groupId, known.csat], [null, null, null]);
});

test('the two lists of a socket of a brand give each agent both ids, unless they cannot be matched', async () => {
  const lists = {
    participants: { CONSUMER: ['c1'], ASSIGNED_AGENT: ['1.7'] },
    participantsPId: { CONSUMER: ['c1'], ASSIGNED_AGENT: ['pid-7'] },
  };
  const both = await conversation([CONSUMER, agent('1.7')], lists);
  const { userId, agentId } = both.conversation.assignedAgent;
  assert.deepEqual([userId, agentId, both.conversation.consumer.agentId], ['pid-7', '1.7', null]);
  const short = await conversation([CONSUMER, agent('1.7')], { ...lists, participantsPId: { ASSIGNED_AGENT: [] } });
  assert.deepEqual([short.conversation.assignedAgent.userId, short.conversation.assignedAgent.agentId], ['1.7', null]);
});

test('the same state is ignored, an older one is out of order, and each state counts once', async () => {
  const { connection, conversation: known } = await conversation([CONSUMER]);
  const outcomes = recorded(known, ['notification', 'notification-ignored', 'notification-out-of-order']);
  const next = state([CONSUMER, agent('a')]);
  const {
    conversationDetails: { brandId, ...others },
  } = next;
  await take(connection, next);
  // The order of the members does not matter.
  await take(connection, { convId: 'conv', conversationDetails: { ...others, brandId } });
  await take(connection, { ...next, conversationDetails: { ...next.conversationDetails, metaDataLastUpdateTs: 0 } });
  await take(connection, { ...next, effectiveTTR: 5 });
  assert.deepEqual(
    outcomes.map(([name]) => name),
    ['notification', 'notification-ignored', 'notification-out-of-order', 'notification'],
  );
  assert.deepEqual(
    [known.notificationCount, known.notificationIgnoredCount, known.notificationOutOfOrderCount],
    [3, 1, 1],
  );
  assert.equal(known.ttrEffective, 5);
});

test('a state without details is an error, and changes nothing', async () => {
  const { connection, conversation: known, errors } = await conversation([CONSUMER]);
  await take(connection, { convId: 'conv' });
  assert.match(errors[0][1].message, /has no conversationDetails/);
  assert.equal(known.notificationCount, 1);
});

test('an older state of a dialog is out of order, and a dialog does not open again', async () => {
  const { connection, conversation: known, errors } = await conversation([CONSUMER]);
  const dialog = known.openDialog;
  const late = recorded(dialog, ['notification-out-of-order', 'close']);
  const withDialog = (more) => {
    const next = state([CONSUMER]);
    Object.assign(next.conversationDetails.dialogs[0], more);
    return take(connection, next);
  };
  await withDialog({ metaDataLastUpdateTs: 20 });
  await withDialog({ metaDataLastUpdateTs: 10 });
  await withDialog({ metaDataLastUpdateTs: 30, state: 'CLOSE' });
  await withDialog({ metaDataLastUpdateTs: 40, state: 'OPEN' });
  assert.deepEqual(
    late.map(([name]) => name),
    ['notification-out-of-order', 'close'],
  );
  assert.match(errors[0][1].message, /cannot change from CLOSE to OPEN/);
  assert.equal(known.openDialog, null);
});

test('a second dialog is emitted, and the main dialog stays the one in which this side speaks', async () => {
  const { connection, conversation: known } = await conversation([CONSUMER]);
  const opened = recorded(known, ['dialog']);
  const next = state([CONSUMER]);
  next.conversationDetails.dialogs.push({
    dialogId: 'browse',
    dialogType: 'OTHER',
    channelType: 'COBROWSE',
    state: 'OPEN',
    participantsDetails: [],
  });
  await take(connection, next);
  assert.equal(opened[0][1].dialogId, 'browse');
  assert.equal(known.openDialog.dialogId, 'conv');
  assert.equal(known.dialogs.length, 2);
});

test('a change of the skill is one transfer, however many dialogs there are', async () => {
  const { connection, events } = await conversation([CONSUMER]);
  const withSurvey = (skillId) => {
    const next = state([CONSUMER], { skillId });
    next.conversationDetails.dialogs.push({
      dialogId: 'survey',
      dialogType: 'POST_SURVEY',
      state: 'OPEN',
      participantsDetails: [CONSUMER],
    });
    return next;
  };
  await take(connection, withSurvey('-1'));
  await take(connection, withSurvey('501'));
  assert.deepEqual(names(events), ['skill-change', 'transfer-skill']);
});

test('the close of a conversation comes before that of its dialogs', async () => {
  const { connection, conversation: known } = await conversation([CONSUMER]);
  const order = recorded(known, ['close', 'dialog:close']);
  const next = state([CONSUMER], { stage: 'CLOSE', endTs: 9, closeReason: 'SYSTEM' });
  next.conversationDetails.dialogs[0].state = 'CLOSE';
  await take(connection, next);
  assert.deepEqual(
    order.map(([name]) => name),
    ['close', 'dialog:close'],
  );
  assert.deepEqual([known.stage, known.closeTime, known.closeReason], ['CLOSE', 9, 'SYSTEM']);
});

test('messages are kept once each, in their order, with the newest of a state', async () => {
  const { connection, conversation: known } = await conversation([CONSUMER]);
  const heard = recorded(known, ['message', 'message-delivery-event']);
  const record = (sequence, event, originatorId = 'c1', role = 'CONSUMER') => ({
    conversationId: 'conv',
    dialogId: 'conv',
    sequence,
    originatorId,
    originatorMetadata: { role },
    serverTimestamp: sequence,
    event,
  });
  const text = (message) => ({ type: 'ContentEvent', contentType: 'text/plain', message });
  const say = (...given) => take(connection, record(...given), 'ms.MessagingEventNotification');
  await say(1, text('second'));
  await say(0, text('first'));
  await say(1, text('second'));
  await say(2, { type: 'AcceptStatusEvent', status: 'READ', sequenceList: [0, 1, 9] }, 'gone', 'ASSIGNED_AGENT');
  // The same receipt again names nothing.
  await say(2, { type: 'AcceptStatusEvent', status: 'READ', sequenceList: [0] }, 'gone', 'ASSIGNED_AGENT');
  const last = record(3, text('third'));
  await take(connection, state([CONSUMER], {}, { lastContentEventNotification: last }));
  const { messages } = known.openDialog;
  assert.deepEqual(
    messages.map(({ body }) => body),
    ['first', 'second', 'third'],
  );
  assert.deepEqual(
    heard.map(([name]) => name),
    ['message', 'message', 'message-delivery-event', 'message'],
  );
  assert.deepEqual(heard[2][1], messages.slice(0, 2));
  assert.deepEqual(
    messages.map((each) => each.hasAssignedAgentRead()),
    [true, true, false],
  );
  assert.deepEqual(
    messages.map((each) => each.hasConsumerRead()),
    [false, false, false],
  );
  assert.equal(messages[2].messageAudience, 'UNKNOWN');
  assert.equal(known.getLatestConsumerMessage(), messages[2]);
});

test('a conversation is written and loaded again: its state, its receipts, and no message bodies', async () => {
  const { connection, conversation: known } = await conversation([CONSUMER, agent('a')], { skillId: '501', note: 'n' });
  const record = {
    conversationId: 'conv',
    dialogId: 'conv',
    sequence: 0,
    originatorId: 'c1',
    originatorMetadata: { role: 'CONSUMER' },
    event: { type: 'ContentEvent', message: 'my secret' },
  };
  await take(connection, record, 'ms.MessagingEventNotification');
  const receipt = {
    ...record,
    sequence: 1,
    originatorId: 'a',
    originatorMetadata: { role: 'ASSIGNED_AGENT' },
    event: { type: 'AcceptStatusEvent', status: 'READ', sequenceList: [0] },
  };
  await take(connection, receipt, 'ms.MessagingEventNotification');
  const last = state([CONSUMER, agent('a')], { skillId: '501' });
  await take(connection, last);

  const text = known.serialize();
  assert.ok(!text.includes('my secret'));
  const other = lpm.createConnection({ accountId: '1', connectionType: lpm.ConnectionType.NULL });
  const loaded = other.loadConversation(text);
  assert.deepEqual([loaded.skill.skillId, loaded.note, loaded.notificationCount], ['501', 'n', 2]);
  assert.match(loaded.openDialog.messages[0].body, /^[0-9a-f]{64}$/);
  assert.equal(loaded.openDialog.messages[0].hasAssignedAgentRead(), true);
  assert.equal(loaded.openDialog.messages[0].participant, loaded.consumer);
  const outcomes = recorded(loaded, ['notification-ignored', 'message', ...NAMES]);
  await take(other, last);
  await take(other, record, 'ms.MessagingEventNotification');
  await take(other, state([CONSUMER], { skillId: '501' }));
  assert.deepEqual(
    outcomes.map(([name]) => name),
    ['notification-ignored', 'participant-removed', 'back-to-queue'],
  );
  loaded.unload();
});

test('an event goes to the highest level that listens: connection, conversation, dialog', async () => {
  const { connection, conversation: known } = await conversation([CONSUMER]);
  known.removeAllListeners();
  const { openDialog } = known;
  const at = (emitter, name) => recorded(emitter, [name]);
  const dialogs = at(openDialog, 'participant-added');
  await take(connection, state([CONSUMER, agent('a')]));
  assert.equal(dialogs.length, 1);
  const conversations = at(known, 'participant-added');
  await take(connection, state([CONSUMER, agent('a'), agent('r', 'ACTIVE', 'READER')]));
  assert.deepEqual([dialogs.length, conversations.length], [1, 1]);
  const connections = at(connection, 'conversation:participant-added');
  await take(
    connection,
    state([CONSUMER, agent('a'), agent('r', 'ACTIVE', 'READER'), agent('m', 'ACTIVE', 'MANAGER')]),
  );
  assert.deepEqual([dialogs.length, conversations.length, connections.length], [1, 1, 1]);
  const [[, payload]] = connections;
  assert.deepEqual([payload.conversation, payload.dialog, payload.participant.userId], [known, openDialog, 'm']);
  assert.equal(payload[0].participant, payload.participant);
});

test('an error of a listener, thrown or rejected, is emitted as an error, and the next events follow', async () => {
  const { connection, conversation: known, errors } = await conversation([CONSUMER]);
  known.once('participant-added', () => {
    throw new Error('thrown');
  });
  known.on('participant-removed', async () => {
    throw new Error('rejected');
  });
  await take(connection, state([CONSUMER, agent('a')]));
  await take(connection, state([CONSUMER]));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    errors.map(([, error]) => error.message),
    ['thrown', 'rejected'],
  );
});

test('a webhook of another kind, and a message of an unknown conversation, are refused', async () => {
  const { connection, errors } = await conversation([CONSUMER]);
  await assert.rejects(take(connection, {}, 'routing.RoutingTaskNotification'), /is no notification of a conversation/);
  await take(
    connection,
    { conversationId: 'other', dialogId: 'other', event: { type: 'ContentEvent' } },
    'ms.MessagingEventNotification',
  );
  assert.match(errors[0][1].message, /dialog other of conversation other is unknown/);
});

test('an error of a listener ends a process that does not listen for errors, as with any emitter', () => {
  const entry = new URL('../../lp-messaging-sdk/index.js', import.meta.url);
  const program = `
    import lpm from '${entry}';
    const connection = lpm.createConnection({ accountId: '1', connectionType: 'null' });
    connection.on('conversation', () => { throw new Error('of the listener'); });
    const state = { convId: 'c', conversationDetails: { stage: 'OPEN', dialogs: [] } };
    const body = { changes: [{ type: 'UPSERT', result: state }] };
    await connection.processWebhooksNotification({ wsNotificationMsg: { type: '.ams.aam.ExConversationChangeNotification', body } });
  `;
  const run = () => execFileSync(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'pipe' });
  assert.throws(run, ({ status, stderr }) => status !== 0 && /of the listener/.test(stderr));
});
