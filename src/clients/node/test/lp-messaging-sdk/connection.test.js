// Connections over a real service and stand-in: attaching, opening, losing, subscriptions, rings, requests.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import lpm from '../../lp-messaging-sdk/index.js';
import { next, recorded, Stage, until } from './support.js';

const { AgentState, ConnectionState, ConnectionType, ParticipantRole, RingState, UserType } = lpm;

let stage;
let manager;

before(async () => {
  stage = await Stage.set();
  manager = await stage.brand('bot1');
});
after(() => stage.strike());

const ids = async () => (await stage.tertulia.connections().all()).map(({ id }) => id);

/** An agent who is ready for rings, and the ring of a conversation. */
async function ringing(login, conversation) {
  const agent = await stage.brand(login);
  await agent.setAgentState({ agentState: AgentState.ONLINE });
  const subscription = await agent.createRoutingTaskSubscription();
  const ring = new Promise((resolve) => {
    agent.on('ring', (each) => each.conversationId === conversation.conversationId && resolve(each));
  });
  return { agent, subscription, ring };
}

test('what cannot be made is refused at once, with a reason', async () => {
  const { createConnection } = lpm;
  assert.throws(() => createConnection({ userType: UserType.BRAND }), /accountId is a required parameter/);
  assert.throws(() => createConnection({ accountId: '1', userType: 'robot' }), /Invalid userType: robot/);
  assert.throws(
    () => createConnection({ accountId: '1', userType: UserType.CONSUMER, connectionType: ConnectionType.REST }),
    /Unsupported connectionType: rest/,
  );
  assert.throws(
    () => createConnection({ accountId: '1', userType: UserType.BRAND, connectionType: ConnectionType.SEND_API }),
    /Unsupported connectionType: sendapi/,
  );
  assert.throws(
    () => createConnection({ accountId: '1', userType: UserType.BRAND, tokenMaintainer: {} }),
    /the gateway holds the login: name the login in authData/,
  );
  assert.throws(() => new lpm.TokenMaintainer(), /connection\.platform/);
  await assert.rejects(
    lpm.CSDS.lookup('1', lpm.CSDS.ServiceName.agentVep),
    /the domain of agentVep is not supported.*connection\.platform/,
  );
  assert.throws(() => lpm.configureProxy({ host: 'p', port: 1, path: 'x' }), /a proxy with a path is not supported/);
});

test('logins of each kind become definitions of the gateway', async () => {
  const { definitionOf } = await import('../../lp-messaging-sdk/attach.js');
  const login = (more) => definitionOf({ accountId: '1', userType: UserType.BRAND, ...more }).login;
  const keys = { username: 'b', appKey: 'k', secret: 's', accessToken: 't', accessTokenSecret: 'ts' };
  assert.deepEqual(login({ authData: keys }), {
    username: 'b',
    app_key: 'k',
    secret: 's',
    access_token: 't',
    access_token_secret: 'ts',
  });
  assert.deepEqual(login({ authData: { assertion: 'saml' } }), { assertion: 'saml' });
  assert.deepEqual(login({ authData: { username: 'b', password: { env: 'B' } } }), {
    username: 'b',
    password: { env: 'B' },
  });
  const session = { token: 'b', userId: '7', csrf: 'c', sessionId: 's' };
  assert.deepEqual(login({ authAgentSessionData: session }), { bearer: 'b', user_id: '7', csrf: 'c', session_id: 's' });
  assert.deepEqual(login({ authAgentSessionData: { token: 'b', userId: '7' } }), { bearer: 'b', user_id: '7' });
  assert.throws(() => login({ authData: {} }), /authData needs a username/);
  const consumer = (more) => definitionOf({ accountId: '1', userType: UserType.CONSUMER, ...more }).login;
  assert.equal(consumer({}), undefined);
  assert.deepEqual(consumer({ unauthConnectorId: '5' }), { connector: '5' });
  assert.deepEqual(consumer({ token: 'jwt' }), { jwt: 'jwt' });
  assert.deepEqual(consumer({ authConnectorId: '5', jwtClaimsSet: 'signed' }), { assertion: 'signed', connector: '5' });
  assert.throws(() => consumer({ jwtClaimsSet: { sub: 'x' } }), /sign the claims/);
  assert.throws(() => consumer({ authData: { useMockAuth: true } }), /anonymous consumer/);
});

test('client properties and the proxy are in the definition', async () => {
  const { definitionOf } = await import('../../lp-messaging-sdk/attach.js');
  const clientProperties = lpm.createClientProperties({
    deviceFamily: lpm.DeviceFamily.MOBILE,
    os: lpm.OS.IOS,
    deviceManufacturer: 'Acme',
    features: [lpm.Features.RICH_CONTENT],
  });
  assert.equal(clientProperties.browser, null);
  lpm.configureProxy({ host: 'proxy.example', port: 3128, auth: { username: 'u', password: 'p' } });
  const definition = definitionOf({ accountId: '1', userType: UserType.CONSUMER, appId: 'mine', clientProperties });
  lpm.resetProxy();
  assert.deepEqual(definition.client_properties, {
    app_id: 'mine',
    device_family: 'MOBILE',
    os: 'IOS',
    device_manufacture: 'Acme',
    features: ['RICH_CONTENT'],
  });
  assert.deepEqual(definition.proxy, { host: 'proxy.example', port: 3128, username: 'u', password: 'p' });
  assert.deepEqual(definition.subscribe, { stage: ['OPEN', 'CLOSE'] });
  assert.equal(definitionOf({ accountId: '1', userType: UserType.CONSUMER }).proxy, undefined);
});

describe('connections', { concurrency: 8 }, () => {
  test('a bot attaches to the connection of the gateway that has its login, which stays after the bot', async () => {
    const other = await stage.brand('bot1');
    assert.deepEqual([other.gatewayConnection, other.agentId, other.userId], ['bots', manager.agentId, manager.userId]);
    assert.equal(other.userProfile.nickName, 'bot1');
    await other.close();
    assert.equal(other.state, ConnectionState.CLOSED);
    assert.ok((await ids()).includes('bots'));
  });

  test('a login that the gateway does not have is added, and removed at the end', async () => {
    const bot = await stage.brand('bot9');
    const id = bot.gatewayConnection;
    assert.equal(id, `lp-messaging-sdk.${stage.account}.bot9`);
    assert.ok((await ids()).includes(id));
    // A second process of the bot finds the connection of the first.
    const second = await stage.brand('bot9');
    assert.equal(second.gatewayConnection, id);
    const closed = next(bot, 'close');
    await bot.close();
    assert.equal((await closed).code, '1005');
    assert.ok(!(await ids()).includes(id));
  });

  test('a connection can be named, and is added under its name', async () => {
    const bot = await stage.brand('bot10', { connection: 'named' });
    assert.equal(bot.gatewayConnection, 'named');
    await bot.close();
    assert.ok(!(await ids()).includes('named'));
    const wrong = stage.make({ userType: UserType.CONSUMER, connection: 'bots' });
    await assert.rejects(wrong.open(), /connection bots is a brand of account \d+, not a consumer/);
  });

  test('wrong credentials reject open, and leave nothing behind', async () => {
    const bot = stage.make({ userType: UserType.BRAND, authData: { username: 'bot11', password: 'wrong' } });
    const failed = next(bot, 'failed-to-connect');
    await assert.rejects(bot.open(), { code: 'credentials_refused' });
    assert.equal((await failed).code, 'credentials_refused');
    assert.equal(bot.state, ConnectionState.FAILED_TO_CONNECT);
    assert.ok(!(await ids()).some((id) => id.endsWith('bot11')));
    await assert.rejects(bot.open(), { code: 'credentials_refused' });
  });

  test('a connection is opened once and closed once', async () => {
    const bot = stage.make({ userType: UserType.BRAND, authData: { username: 'bot12', password: 'secret' } });
    await assert.rejects(bot.close(), /cannot close a connection that is initial/);
    await assert.rejects(bot.send({ type: 'GetClock' }), /is not open: it is initial/);
    const steps = recorded(bot, ['connect#request', 'connect#response', 'connect', 'ready', 'close']);
    await bot.open();
    await assert.rejects(bot.open(), /cannot open a connection that is connected/);
    await bot.close();
    await assert.rejects(bot.close(), /cannot close a connection that is closed/);
    await assert.rejects(bot.getToken(), /is not open: it is closed/);
    assert.deepEqual(
      steps.map(([name]) => name),
      ['connect#request', 'connect#response', 'connect', 'ready', 'close'],
    );
  });

  test('a lost connection comes back by itself, and what was said meanwhile arrives on both sides', async () => {
    const bot = await stage.brand('bot13');
    const { brands, consumers } = await stage.conversation(bot);
    await brands.join(ParticipantRole.AGENT);
    await consumers.sendMessage('before');
    await until(() => brands.openDialog.messages.length === 1);
    const steps = recorded(bot, ['disconnect', 'connect', 'reconnect']);
    const heard = new Promise((resolve) => {
      brands.on('message', (message) => message.body === 'meanwhile' && resolve(message));
    });
    await stage.platform.fault({ fault: 'drop', side: 'brand', user: 'bot13' });
    await until(() => steps.length > 0);
    const [sent] = await Promise.all([brands.sendMessage('queued'), consumers.sendMessage('meanwhile')]);
    assert.equal(typeof sent.sequence, 'number');
    assert.equal((await heard).body, 'meanwhile');
    const entries = await stage.platform.ledger(brands.conversationId);
    assert.equal(entries.filter(({ text }) => text === 'queued').length, 1);
    await until(() => steps.length === 3);
    assert.deepEqual(
      steps.map(([name]) => name),
      ['disconnect', 'connect', 'reconnect'],
    );
    assert.match(steps[0][1].code, /^\d+$/);
    assert.equal(bot.state, ConnectionState.CONNECTED);
  });

  test('a bot that does not stay connected emits close, and can open again', async () => {
    const bot = await stage.brand('bot14', { maintainConnection: false });
    const closed = next(bot, 'close');
    await stage.platform.fault({ fault: 'drop', side: 'brand', user: 'bot14' });
    assert.match((await closed).code, /^\d+$/);
    assert.equal(bot.state, ConnectionState.DISCONNECTED);
    await bot.open();
    assert.equal(bot.state, ConnectionState.CONNECTED);
  });

  test('conversations that exist already are there when the first notification was waited for', async () => {
    const { brands, consumers } = await stage.conversation(manager);
    await consumers.sendMessage('early');
    const bot = stage.make({
      userType: UserType.BRAND,
      authData: { username: 'bot1', password: 'secret' },
      waitForFirstNotification: true,
      getAllMessages: true,
    });
    const breaks = recorded(bot, ['limit-break']);
    const known = new Map();
    bot.on('conversation', (each) =>
      known.set(
        each.conversationId,
        each.openDialog?.messages.map(({ body }) => body),
      ),
    );
    await bot.open();
    assert.ok(bot.getAllKnownConversations().length > 0);
    assert.ok(known.has(brands.conversationId));
    assert.deepEqual(bot.getConversationById(brands.conversationId).getLatestConsumerMessage()?.body, 'early');
    assert.equal(bot.getConversationById('unknown'), null);
    assert.deepEqual(
      breaks.map(([, { creatingChildSub, conversationLimitThreshold }]) => [
        creatingChildSub,
        conversationLimitThreshold,
      ]),
      [[false, 900]],
    );
  });

  test('a subscription sees what its query describes, and drops what it describes no longer', async () => {
    const bot = await stage.brand('bot1', { createDefaultSubscription: false });
    assert.equal(bot.defaultSubscription, null);
    const { consumers, consumer } = await stage.conversation(manager);
    const query = { stage: ['OPEN'], consumerId: consumer.userId };
    const subscription = await bot.createConversationSubscription({ query, waitForFirstNotification: true });
    assert.deepEqual([...subscription.conversations.keys()], [consumers.conversationId]);
    assert.equal(subscription.state, lpm.SubscriptionState.SUBSCRIBED);
    const raw = recorded(subscription, ['upsert', 'delete', 'notification', 'conversation', 'conversation-deleted']);
    await stage.conversation(manager);
    const second = await consumer.createConversation();
    await until(() => subscription.conversations.size === 2);
    assert.equal(raw.find(([name]) => name === 'conversation')[1].conversationId, second.conversationId);
    const deleted = next(subscription, 'conversation-deleted');
    await consumers.close();
    assert.equal((await deleted).conversationId, consumers.conversationId);
    assert.ok(
      raw.some(
        ([name, { changes }]) => name === 'notification' && changes[0].result.conversationDetails.stage === 'OPEN',
      ),
    );
    assert.equal(raw.find(([name]) => name === 'delete')?.[1].convId, consumers.conversationId);
    assert.ok(bot.getConversationById(consumers.conversationId));
    await subscription.unsubscribe();
    assert.equal(subscription.conversations.size, 0);
    await subscription.unsubscribe();
    assert.match(bot.errors.at(-1).message, /the subscription is unsubscribed/);
  });

  test('a conversation that nobody needs leaves memory', async () => {
    const bot = await stage.brand('bot1', {
      conversationsCacheDuration: 0,
      defaultSubscriptionQuery: { stage: ['OPEN'] },
    });
    const { consumers } = await stage.conversation(manager);
    await stage.seen(bot, consumers.conversationId);
    await consumers.close();
    await until(() => bot.getConversationById(consumers.conversationId) === null);
  });

  test('a ring has the members of the SDK, and emits how it ends', async () => {
    const { brands, consumer } = await stage.conversation(manager);
    await brands.join(ParticipantRole.ASSIGNED_AGENT);
    const { agent, subscription, ring: offered } = await ringing('bot15', brands);
    const routing = recorded(agent, ['routingTaskNotification', '.ams.routing.RoutingTaskNotification']);
    await brands.transfer({ agentId: agent.agentId });
    const ring = await offered;
    assert.deepEqual(
      [ring.ringState, ring.brandId, ring.consumerId, ring.skillId],
      [RingState.WAITING, stage.account, consumer.userId, '-1'],
    );
    assert.ok(ring.ringExpirationTs > Date.now());
    assert.equal(subscription.rings.get(ring.ringId), ring);
    const accepted = next(ring, 'accepted');
    await ring.accept();
    assert.equal(await accepted, ring);
    assert.equal(agent.agentState, AgentState.ONLINE);
    const conversation = await stage.seen(agent, brands.conversationId);
    await until(
      () => conversation.assignedAgent?.agentId === agent.agentId && conversation.assignedAgent.state === 'ACTIVE',
    );
    const ofRing = ({ changes }) => changes[0].result.ringsDetails[0].ringId === ring.ringId;
    assert.ok(routing.some(([name, body]) => name === 'routingTaskNotification' && ofRing(body)));
    assert.ok(routing.some(([, whole]) => whole.kind === 'notification' && ofRing(whole.body)));
    await subscription.unsubscribe();
    assert.equal(subscription.rings.size, 0);
  });

  test('a ring that waits already is emitted to a new subscription, and can be rejected', async () => {
    const { brands } = await stage.conversation(manager);
    await brands.join(ParticipantRole.ASSIGNED_AGENT);
    const agent = await stage.brand('bot16');
    await agent.setAgentState({ agentState: AgentState.ONLINE });
    await brands.transfer({ agentId: agent.agentId });
    await until(async () =>
      (await stage.tertulia.rings({ connection: agent.gatewayConnection }).all()).some(
        (ring) => ring.conversationId === brands.conversationId,
      ),
    );
    const rings = recorded(agent, ['ring']);
    await agent.createRoutingTaskSubscription();
    const [, ring] = rings.find(([, each]) => each.conversationId === brands.conversationId);
    const rejected = next(ring, 'rejected');
    await ring.reject();
    await rejected;
  });

  test('a ring is accepted, and a state is set, also while the connection is lost', async () => {
    const { brands } = await stage.conversation(manager);
    await brands.join(ParticipantRole.ASSIGNED_AGENT);
    const { agent, ring } = await ringing('bot19', brands);
    await brands.transfer({ agentId: agent.agentId });
    const offered = await ring;
    const lost = next(agent, 'disconnect');
    await stage.platform.fault({ fault: 'drop', side: 'brand', user: 'bot19' });
    await lost;
    await Promise.all([offered.accept(), agent.setAgentState({ agentState: AgentState.AWAY })]);
    await until(() => brands.assignedAgent?.agentId === agent.agentId && brands.assignedAgent.state === 'ACTIVE');
    assert.deepEqual([offered.ringState, agent.agentState], [RingState.ACCEPTED, AgentState.AWAY]);
  });

  test('a ring is cancelled when its conversation closes', async () => {
    const { brands, consumers } = await stage.conversation(manager);
    await brands.join(ParticipantRole.ASSIGNED_AGENT);
    const { agent, ring } = await ringing('bot17', brands);
    await brands.transfer({ agentId: agent.agentId });
    const cancelled = next(await ring, 'cancelled');
    await consumers.close();
    await cancelled;
  });

  test('requests of the protocol pass through, with their timing as events', async () => {
    const timing = recorded(manager, ['.GetClock#request', '.GetClock#response']);
    assert.equal(typeof (await manager.getClock()).currentTime, 'number');
    assert.deepEqual(
      timing.map(([name]) => name),
      ['.GetClock#request', '.GetClock#response'],
    );
    assert.ok(timing[1][1].end >= timing[1][1].start);
    await assert.rejects(
      manager.send({
        type: '.ams.cm.UpdateConversationField',
        body: { conversationId: 'unknown', conversationField: [] },
      }),
      (error) => {
        assert.deepEqual(
          [error.code, error.isTimeout, typeof error.platformCode],
          ['platform-rejected', false, 'number'],
        );
        return true;
      },
    );
    const upload = await manager.getUploadUrl(4, 'PNG');
    assert.ok(upload.relativePath);
    await assert.rejects(manager.getDownloadUrl('/nothing'), { platformText: 'there is no such file' });
  });

  test('a consumer has a profile', async () => {
    const consumer = await stage.consumer();
    await consumer.setUserProfile({ firstName: 'Ann', lastName: 'Lee' });
    assert.equal((await consumer.getUserProfile()).firstName, 'Ann');
    assert.equal(consumer.userProfile.firstName, 'Ann');
  });

  test('other services of the platform are reached without the token', async () => {
    const path = `/api/account/${stage.account}/configuration/le-users/skills`;
    const skills = await (await manager.platform('accountConfigReadOnly', path)).json();
    assert.ok(skills.length > 0);
    assert.equal((await manager.platform('accountConfigReadOnly', '/nothing')).status, 404);
    assert.equal(typeof (await manager.getMsgStatisticsForBrand()).conversations, 'number');
    assert.ok(await manager.getMsgStatisticsForAgent());
  });

  test('the functions of rest take the word of getToken', async () => {
    const { brands, consumers } = await stage.conversation(manager);
    await brands.join(ParticipantRole.ASSIGNED_AGENT);
    const token = await manager.getToken();
    assert.match(token, /^tertulia-connection:bots:/);
    // Another connection with the same login ends without an effect on this one.
    const other = await stage.brand('bot1');
    assert.notEqual(await other.getToken(), token);
    await other.close();
    const { conversationId } = brands;
    const place = { accountId: stage.account, token, conversationId, dialogId: conversationId };
    const { rest } = lpm;
    const heard = next(consumers, 'message');
    await rest.publishMessage({ ...place, text: 'by rest' });
    assert.equal((await heard).body, 'by rest');
    const { data, status, headers } = await rest.getConversationById(place);
    assert.ok(JSON.stringify(data).includes(conversationId));
    assert.deepEqual([status, typeof headers.etag], [200, 'string']);
    assert.ok(JSON.stringify((await rest.getMessages({ ...place, sequenceMin: 0 })).data).includes('by rest'));
    await rest.setChatState({ ...place, chatState: 'COMPOSING' });
    await rest.updateTTR({ ...place, type: 'URGENT' });
    await until(() => brands.ttrType === 'URGENT');
    await rest.updateManualETTR({ ...place, manualETTR: Date.now() + 90_000 });
    await rest.publishAcceptStatus({ ...place, status: 'READ', sequenceList: [0] });
    await rest.publishRichContent({ ...place, content: { type: 'vertical', elements: [{ type: 'text', text: 'x' }] } });
    await rest.closeDialog({ ...place, closeReason: 'AGENT' });
    await until(() => brands.mainDialog.state === 'CLOSE');
    await assert.rejects(
      rest.getConversationById({ ...place, token: 'Bearer another' }),
      /not of getToken\(\) of an open connection/,
    );
    await assert.rejects(
      rest.getConversationById({ ...place, conversationId: 'unknown' }),
      (error) => error.response.status >= 400,
    );
  });

  test('a rest connection has commands and no notifications', async () => {
    const { brands, consumers } = await stage.conversation(manager);
    await brands.join(ParticipantRole.ASSIGNED_AGENT);
    await until(() => brands.assignedAgent);
    const rest = await stage.brand('bot1', { connectionType: ConnectionType.REST });
    const heard = next(consumers, 'message');
    await rest.loadConversation(brands.serialize()).sendMessage('from a worker');
    assert.equal((await heard).body, 'from a worker');
    assert.equal(rest.getAllKnownConversations().length, 1);
  });

  test('messages are accepted and read, and both sides see typing', async () => {
    const { brands, consumers } = await stage.conversation(manager);
    await brands.join(ParticipantRole.ASSIGNED_AGENT);
    await until(() => consumers.assignedAgent);
    await consumers.sendMessage('read me');
    const [message] = await until(() => brands.openDialog.messages.length > 0 && brands.openDialog.messages);
    const delivered = next(consumers, 'message-delivery-event');
    await message.accept();
    assert.deepEqual(
      (await delivered).map(({ sequence }) => sequence),
      [0],
    );
    const [own] = consumers.openDialog.messages;
    assert.deepEqual(
      [own.sentByCurrentUser(), own.hasAssignedAgentRead(), message.sentByCurrentUser()],
      [true, false, false],
    );
    await message.read();
    await until(() => own.hasAssignedAgentRead());
    assert.equal(own.hasConsumerRead(), false);
    await brands.openDialog.sendReadStatus([]);
    const typing = next(consumers.assignedAgent, 'chatStateChange');
    const raw = next(consumers, 'messageNotification');
    await brands.openDialog.setChatState(lpm.ParticipantChatState.COMPOSING);
    assert.equal(await typing, 'COMPOSING');
    assert.equal((await raw).event.chatState, 'COMPOSING');
  });

  test('a dialog is closed with a reason and a cause', async () => {
    const { brands } = await stage.conversation(manager);
    await brands.join(ParticipantRole.ASSIGNED_AGENT);
    await until(() => brands.assignedAgent);
    const closed = next(brands.mainDialog, 'close');
    await brands.mainDialog.close(lpm.DialogCloseReason.AGENT, 'solved');
    const emitted = await closed;
    assert.deepEqual([emitted.closedBy, emitted.closedCause], ['AGENT', 'solved']);
  });

  test('the work hours of skills are polled', async () => {
    const bot = stage.make({
      userType: UserType.BRAND,
      authData: { username: 'bot1', password: 'secret' },
      pollShiftStatus: true,
    });
    const polled = recorded(bot, ['getShiftStatus#response']);
    await bot.open();
    const own = new lpm.ShiftStatusPoller({ accountId: stage.account, token: await bot.getToken() });
    const [list] = await Promise.all([next(own, 'shiftStatusData'), own.start()]);
    own.stop();
    assert.ok(Array.isArray(list));
    await until(() => polled.length > 0);
    const changes = recorded(bot, ['skill-entered-off-hours', 'skill-entered-work-hours']);
    bot.processShiftStatusResponse([{ skillId: '77', onShift: true }]);
    bot.processShiftStatusResponse([{ skillId: '77', onShift: false, nextOn: 5 }]);
    bot.processShiftStatusResponse([{ skillId: '77', onShift: true }]);
    assert.deepEqual(
      changes.map(([name]) => name),
      ['skill-entered-off-hours', 'skill-entered-work-hours'],
    );
    await bot.close();
  });

  test('notifications have the form of the protocol', async () => {
    const all = recorded(manager, [
      'messageNotification',
      '.ams.ms.OnlineEventDistribution',
      'notification',
      'conversationNotification',
    ]);
    const { brands, consumers } = await stage.conversation(manager);
    await consumers.sendMessage('raw');
    const ofMessage = ([name, body]) => name === 'messageNotification' && body.conversationId === brands.conversationId;
    const [, body] = await until(() => all.find(ofMessage));
    assert.deepEqual(
      [body.event, body.originatorMetadata.role, body.sequence],
      [{ type: 'ContentEvent', contentType: 'text/plain', message: 'raw', quickReplies: undefined }, 'CONSUMER', 0],
    );
    assert.ok(all.some(([name, whole]) => name === '.ams.ms.OnlineEventDistribution' && whole.body === body));
    assert.ok(all.some(([name, whole]) => name === 'notification' && whole.type === '.ams.ms.OnlineEventDistribution'));
    const ofState = ([name, { changes }]) =>
      name === 'conversationNotification' && changes.some(({ result }) => result.convId === brands.conversationId);
    const change = all.find(ofState)[1].changes.find(({ result }) => result.convId === brands.conversationId);
    // The form is that which the SDK's own algorithm takes.
    const offline = lpm.createConnection({ accountId: stage.account, connectionType: ConnectionType.NULL });
    await offline.processWebhooksNotification({
      wsNotificationMsg: { type: '.ams.aam.ExConversationChangeNotification', body: { changes: [change] } },
    });
    const copy = offline.getConversationById(brands.conversationId);
    assert.deepEqual([copy.stage, copy.consumer.userId, copy.skill.skillId], ['OPEN', brands.consumer.userId, '-1']);
  });

  test('an anonymous consumer steps up, with the open conversations', async () => {
    const { brands, consumers, consumer } = await stage.conversation(manager);
    const before = consumer.userId;
    const stepped = next(brands, 'consumer-step-up');
    const done = await consumer.mockStepUp('default', 'known-customer');
    assert.notEqual(done.userId, before);
    assert.equal(consumer.userId, done.userId);
    assert.equal((await stepped).participant.userId, done.userId);
    assert.equal(consumers.conversationId, done.conversations[0].conversationId);
  });
});
