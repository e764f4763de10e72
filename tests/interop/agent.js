// One agent on the emulated account: the unmodified node-agent-sdk, with promises and deadlines around it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent as Sdk } from 'node-agent-sdk';
import { DEADLINE, Hearing } from './hearing.js';
import { account, host, openConversation } from './platform.js';

/** What the platform said to a request that it did not carry out. */
export class Refused extends Error {
  constructor(request, { code, body }) {
    super(`${request} was refused with ${code}: ${body}`);
    this.code = code;
    this.body = body;
  }
}

export class Agent {
  #hearing = new Hearing();
  #complaints = new Set();

  constructor(sdk) {
    this.sdk = sdk;
    sdk.on('notification', (notification) => this.#hearing.tell(notification));
    sdk.on('closed', (code) => this.#hearing.tell({ type: 'closed', code }));
  }

  /** Logs in and opens the socket. When the test ends the agent leaves, and must have had no complaints. */
  static async connect(t, login, credentials = { password: 'secret' }) {
    const platform = { accountId: account, csdsDomain: host, requestTimeout: DEADLINE };
    const agent = new Agent(new Sdk({ ...platform, username: login, ...credentials }));
    t.after(() => agent.#leave());
    await agent.connected();
    agent.#listenForComplaints();
    return agent;
  }

  /** As bots begin: ready for rings, subscribed to its own open conversations and to its rings. */
  static async onDuty(t, login) {
    const agent = await Agent.connect(t, login);
    await agent.goOnDuty();
    return agent;
  }

  get id() {
    return this.sdk.agentId;
  }

  async connected() {
    await once(this.sdk, 'connected', { signal: AbortSignal.timeout(DEADLINE) });
  }

  async goOnDuty() {
    await this.request('setAgentState', { availability: 'ONLINE' });
    await this.request('subscribeExConversations', { convState: ['OPEN'], agentIds: [this.id] });
    await this.request('subscribeRoutingTasks', {});
  }

  /** A request by the name of the SDK's method; the body of its answer. */
  request(name, body, metadata) {
    return new Promise((resolve, reject) => {
      this.sdk[name](body, undefined, metadata, undefined, (error, answer) => {
        if (!error) resolve(answer);
        else reject(error instanceof Error ? error : new Refused(name, error));
      });
    });
  }

  /** Opens a conversation by a simulated consumer and takes its ring. */
  async takeConversation(options) {
    const conversation = await openConversation(options);
    await this.takeRing(conversation);
    return conversation;
  }

  async takeRing(conversation) {
    const { ringId } = await this.ring(conversation);
    const answer = await this.request('updateRingState', { ringId, ringState: 'ACCEPTED' });
    assert.equal(answer, 'Ring state updated successfully');
    await this.conversation(conversation, ({ details }) => this.roleIn(details) === 'ASSIGNED_AGENT');
  }

  roleIn(details) {
    return details.participants.find(({ id }) => id === this.id)?.role;
  }

  sayIn(conversation, text, metadata) {
    const event = { type: 'ContentEvent', contentType: 'text/plain', message: text };
    return this.publish(conversation, event, metadata);
  }

  publish(conversation, event, metadata) {
    return this.request('publishEvent', { dialogId: conversation, event }, metadata);
  }

  change(conversation, ...fields) {
    return this.request('updateConversationField', { conversationId: conversation, conversationField: fields });
  }

  /** The first notification of a type whose body satisfies; what `find` made of it. */
  heard(type, find = (body) => body) {
    return this.#hearing.until(type, (notification) => notification.type === type && find(notification.body));
  }

  /** The first ring for a conversation in a state. */
  ring(conversation, state = 'WAITING') {
    return this.heard('routing.RoutingTaskNotification', ({ changes }) =>
      changes
        .filter(({ result }) => result.conversationId === conversation)
        .flatMap(({ result }) => result.ringsDetails)
        .find(({ ringState }) => ringState === state),
    );
  }

  /** The first change of a conversation that satisfies; its type, tree and details. */
  conversation(conversation, satisfies = () => true) {
    return this.heard('cqm.ExConversationChangeNotification', ({ changes }) =>
      changes
        .filter(({ result }) => result.convId === conversation)
        .map(({ type, result }) => ({ type, result, details: result.conversationDetails }))
        .find(satisfies),
    );
  }

  /** The first event of a dialog that satisfies, live or from the history. */
  event(dialog, satisfies) {
    const inDialog = ({ dialogId, changes }) => dialogId === dialog && changes.find(satisfies);
    return this.heard('ms.MessagingEventNotification', inDialog);
  }

  text(dialog, text) {
    return this.event(dialog, ({ event }) => event.message === text);
  }

  /** The code with which the platform closed the socket. */
  closed() {
    return this.#hearing.until('the close', ({ type, code }) => type === 'closed' && code);
  }

  /** Resolves with the first error of the SDK. The test expects the error, so it does not fail the test. */
  async complaint() {
    const error = await this.#hearing.until('an error', ({ type, error }) => type === 'error' && error);
    this.#complaints.delete(error);
    return error;
  }

  #listenForComplaints() {
    for (const type of ['error', 'warn']) {
      this.sdk.on(type, (error) => {
        this.#complaints.add(error);
        this.#hearing.tell({ type, error });
      });
    }
  }

  forget() {
    this.#hearing.forget();
  }

  async #leave() {
    // No more rings for an agent who is about to go.
    if (this.sdk.connected) await this.request('setAgentState', { availability: 'OFFLINE' });
    // A refresh that is on its way would begin the next one behind `dispose`, and so on without end.
    this.sdk._refreshSession = () => {};
    this.sdk.dispose();
    assert.deepEqual([...this.#complaints], []);
  }
}
