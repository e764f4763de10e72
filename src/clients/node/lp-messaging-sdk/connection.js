// A connection: a login of the platform that the gateway holds, with its conversations and rings.

import { randomUUID } from 'node:crypto';
import { stagesOf } from './attach.js';
import { Commands } from './commands.js';
import { Conversation } from './conversation.js';
import { Emitter } from './emitter.js';
import { ConnectionState, ConnectionType, ConversationState, UserType } from './enums.js';
import { Memory } from './memory.js';
import { messageNotification, messageType } from './notifications.js';
import { Rings } from './rings.js';
import { Session } from './session.js';
import { ShiftStatusPoller } from './shift_status.js';
import { Skill } from './skill.js';
import { toProtocol } from './state.js';
import { ConversationSubscription } from './subscription.js';
import { forgetToken, tokenOf } from './tokens.js';
import { WebhooksIntake } from './webhooks.js';

/**
 * @typedef {object} AuthData
 * @property {string | object} [username]
 * @property {string | object} [password]
 * @property {string | object} [appKey]
 * @property {string | object} [secret]
 * @property {string | object} [accessToken]
 * @property {string | object} [accessTokenSecret]
 * @property {string | object} [assertion] a SAML assertion of an agent, or the signed identity of a consumer
 * @property {boolean} [useMockAuth]
 */

/**
 * The options of `createConnection`. Secrets may be text, or references that the gateway resolves: `{ env: 'NAME' }`.
 *
 * @typedef {object} ConnectionOptions
 * @property {string} accountId
 * @property {string} [userType] one of `UserType`
 * @property {string} [connectionType] one of `ConnectionType`
 * @property {string | null} [appId]
 * @property {string | null} [appVersion]
 * @property {any} [authData]
 * @property {{ token: string, userId?: string, csrf?: string, sessionId?: string }} [authAgentSessionData]
 * @property {string} [agentId] the agent of the connection, as `account.user`
 * @property {string | null} [token] a consumer's token of an earlier login
 * @property {string | null} [unauthConnectorId]
 * @property {string | null} [authConnectorId]
 * @property {string | object | null} [jwtClaimsSet] the signed JWT of a consumer
 * @property {Record<string, any> | null} [clientProperties]
 * @property {boolean} [maintainConnection]
 * @property {boolean} [createDefaultSubscription]
 * @property {import('./subscription.js').SubscriptionQuery | null} [defaultSubscriptionQuery]
 * @property {boolean} [waitForFirstNotification]
 * @property {boolean} [waitForReady]
 * @property {boolean} [getAllMessages]
 * @property {boolean} [pollShiftStatus]
 * @property {boolean | null} [limitBreakEnabled]
 * @property {number} [responseTimeout] in milliseconds
 * @property {number} [conversationsCacheDuration] in milliseconds
 * @property {unknown} [tokenMaintainer]
 * @property {string} [gatewayUrl] the gateway's address; `TERTULIA_URL` by default
 * @property {string} [gatewayToken] the gateway's token; `TERTULIA_TOKEN` by default
 * @property {string} [connection] the id of the gateway's connection to use; `TERTULIA_CONNECTION` by default
 * @property {typeof globalThis.fetch} [fetch]
 */

/** A connection. Its events are those of lp-messaging-sdk; the README lists them. */
export class Connection extends Emitter {
  static get ConnectionState() {
    return ConnectionState;
  }

  #current = /** @type {Session | null} */ (null);
  #opening = /** @type {Promise<unknown> | null} */ (null);
  #memory;
  #rings = new Rings(this);
  /** @type {Map<string, Skill>} */
  #skills = new Map();
  #webhooks = new WebhooksIntake(this);
  /** For the other modules of this folder. */
  _commands = new Commands(this);

  /** @param {ConnectionOptions} options */
  constructor(options) {
    super();
    this._options = options;
    this.#memory = new Memory(options.conversationsCacheDuration, ({ conversationId }) =>
      this.#current?.feed?.forget(conversationId),
    );
    this.connectionId = randomUUID();
    this.accountId = options.accountId;
    this.appId = options.appId ?? null;
    this.appVersion = options.appVersion ?? null;
    this.maintainConnection = options.maintainConnection ?? true;
    const isNull = options.connectionType === ConnectionType.NULL;
    this.state = /** @type {string} */ (isNull ? ConnectionState.NULL : ConnectionState.INITIAL);
    /** As `account.user`; null for a consumer, and before the connection is open. @type {string | null} */
    this.agentId = null;
    /** The public id of the user. @type {string | null} */
    this.userId = null;
    /** @type {Record<string, any> | null} */
    this.userProfile = null;
    /** The state that was last set through this connection. @type {string | null} */
    this.agentState = null;
    /** @type {ConversationSubscription | null} */
    this.defaultSubscription = null;
    /** @type {ShiftStatusPoller | null} */
    this.shiftStatusPoller = options.pollShiftStatus ? new ShiftStatusPoller({ connection: this }) : null;
    /** @type {Set<ConversationSubscription>} */
    this._subscriptions = new Set();
    // Errors in the background end no process that does not listen for them.
    this.on('error', () => {});
  }

  /** The id of the gateway's connection; null before the connection is open. */
  get gatewayConnection() {
    return this.#current?.attached?.id ?? null;
  }

  /**
   * Opens the connection: finds it at the gateway or adds it there, and waits until it is ready.
   *
   * @throws {Error} the platform refuses the login, or the connection is not ready within `responseTimeout`
   */
  async open() {
    const { INITIAL, CONNECTING, CONNECTED, DISCONNECTED, FAILED_TO_CONNECT, NULL } = ConnectionState;
    if (this.state === NULL) return;
    const isAgain = this.state === FAILED_TO_CONNECT || (this.state === DISCONNECTED && !this.maintainConnection);
    if (this.state !== INITIAL && !isAgain) throw new Error(`cannot open a connection that is ${this.state}`);
    this.state = CONNECTING;
    const start = Date.now();
    this._dispatch('connect#request', { start });
    this.#opening = this.#begin();
    try {
      await this.#opening;
    } catch (error) {
      await this.#detach();
      this.state = FAILED_TO_CONNECT;
      this._dispatch('failed-to-connect', error);
      throw error;
    } finally {
      this.#opening = null;
    }
    this.state = CONNECTED;
    this._dispatch('connect#response', { start, end: Date.now() });
    this._dispatch('connect');
    void this.shiftStatusPoller?.start();
    await this.#subscribe();
    this._dispatch('ready');
  }

  /**
   * Closes the connection. A connection of the gateway that was added for it is removed.
   *
   * @throws {Error} the connection is not open
   */
  async close() {
    const { NULL, INITIAL, CLOSING, CLOSED, CONNECTING } = ConnectionState;
    if (this.state === NULL) return;
    if (this.state === CONNECTING) await this.#opening?.catch(() => {});
    if (this.state === INITIAL || this.state === CLOSING || this.state === CLOSED) {
      throw new Error(`cannot close a connection that is ${this.state}`);
    }
    this.state = CLOSING;
    this.shiftStatusPoller?.stop();
    await this.#detach();
    this.state = CLOSED;
    this._dispatch('close', { code: '1005', reason: '' });
  }

  /**
   * A word in place of the platform's token, which stays in the gateway. The functions of `rest` take the word. Use
   * {@link platform} for requests to other services.
   *
   * @returns {Promise<string>}
   */
  async getToken() {
    return tokenOf(this._session.id, this);
  }

  /**
   * Sends a request to another service of the platform with the login of this connection.
   *
   * @param {string} service the service's name in discovery, such as `accountConfigReadWrite`
   * @param {string} path with its query
   * @param {Parameters<import('../lib/resources/connection.js').Connection['platform']>[2]} [options]
   * @returns {Promise<Response>}
   */
  async platform(service, path, options) {
    return this._session.handle.platform(service, path, options);
  }

  /**
   * Sends any request of the platform's protocol.
   *
   * @param {{ type: string, body?: any, headers?: object[], metadata?: object[] }} request
   * @returns {Promise<any>} the body of the platform's answer
   */
  async send({ type, body = {}, headers = [], metadata = [] }) {
    const start = Date.now();
    const request = /** @type {any} */ ({ type, body, headers, metadata });
    this._dispatch(`${type}#request`, { start, request });
    const response = await this._commands.request(({ handle }) => handle.request(request));
    this._dispatch(`${type}#response`, { start, end: Date.now(), request, response });
    return response;
  }

  /**
   * @deprecated
   * @returns {Promise<any>} the platform's time
   */
  async getClock() {
    return this.send({ type: '.GetClock' });
  }

  /**
   * Opens a conversation, as a consumer.
   *
   * @param {{ skillId?: string, context?: object, campaignInfo?: object, ttrType?: string }} [options]
   * @returns {Promise<Conversation>}
   */
  async createConversation({ skillId, context, campaignInfo, ttrType } = {}) {
    const wanted = /** @type {any} */ ({ skillId, context, campaignInfo, ttrType });
    const opened = await this._commands.request(({ handle }) => handle.createConversation(wanted));
    const feed = /** @type {import('./feed.js').Feed} */ (this._session.feed);
    const conversation = feed.conversation(opened.conversationId);
    if (!conversation._hasState) conversation._begin();
    this._show(conversation);
    return conversation;
  }

  /**
   * Begins to see some of the conversations that the gateway's connection sees.
   *
   * @param {{ query?: import('./subscription.js').SubscriptionQuery, waitForFirstNotification?: boolean }} [options]
   * @returns {Promise<ConversationSubscription>}
   */
  async createConversationSubscription({ query = {}, waitForFirstNotification = false } = {}) {
    this._session;
    const subscription = new ConversationSubscription(this, query);
    await subscription.init(waitForFirstNotification);
    return subscription;
  }

  /**
   * Begins to see the rings of this connection's agent.
   *
   * @returns {Promise<import('./subscription.js').RoutingTaskSubscription>}
   */
  async createRoutingTaskSubscription() {
    return this.#rings.subscribe();
  }

  /** @param {{ agentState: string, agentId?: string }} options the state is one of `AgentState`; the agent is the connection's own by default */
  async setAgentState({ agentState, agentId = this.agentId ?? undefined }) {
    if (agentId === (this.agentId ?? undefined))
      await this._commands.request(({ handle }) => handle.agentState(agentState));
    else
      await this.send({
        type: '.ams.routing.SetAgentState',
        body: { availability: agentState, channels: ['MESSAGING'], agentUserId: agentId },
      });
    this.agentState = agentState;
  }

  /** @param {Record<string, any>} profile such as `{ firstName, lastName, nickName }` */
  async setUserProfile(profile) {
    await this.send({ type: 'userprofile.SetUserProfile', body: profile });
    this.userProfile = { ...this.userProfile, ...profile };
  }

  /**
   * @param {string | null} [userId] this connection's user by default
   * @returns {Promise<any>}
   */
  async getUserProfile(userId = this.agentId) {
    return this.send({ type: 'userprofile.GetUserProfile', body: userId === null ? {} : { userId } });
  }

  /**
   * @param {number} fileSize in bytes
   * @param {string} fileType
   */
  async getUploadUrl(fileSize, fileType) {
    return this.send({ type: '.ams.ms.GenerateURLForUploadFile', body: { fileSize, fileType } });
  }

  /** @param {string} relativePath */
  async getDownloadUrl(relativePath) {
    return this.send({ type: '.ams.ms.GenerateURLForDownloadFile', body: { relativePath } });
  }

  /** The statistics of this connection's agent. */
  async getMsgStatisticsForAgent() {
    return this.#statistics(`/agents/${this.agentId?.slice(this.agentId.indexOf('.') + 1)}`);
  }

  /** The statistics of the whole account. */
  async getMsgStatisticsForBrand() {
    return this.#statistics('');
  }

  /**
   * Makes an anonymous consumer known, with the open conversations.
   *
   * @param {{ authConnectorId: string, code: string }} proof the code of the brand, or a signed JWT
   */
  async stepUp({ authConnectorId, code }) {
    const done = await this._commands.request(({ handle }) => handle.stepUp({ connectorId: authConnectorId, code }));
    this.userId = done.userId;
    return done;
  }

  /**
   * @param {string} authConnectorId
   * @param {string} customerName
   */
  async mockStepUp(authConnectorId, customerName) {
    return this.stepUp({ authConnectorId, code: customerName });
  }

  /** @param {string} conversationId */
  getConversationById(conversationId) {
    return this.#memory.get(conversationId);
  }

  /** Every conversation that this connection has in memory. */
  getAllKnownConversations() {
    return this.#memory.all();
  }

  /**
   * Brings a conversation into memory.
   *
   * @param {string} text of `conversation.serialize()`
   */
  loadConversation(text) {
    const conversation = Conversation.deserialize(this, text);
    conversation._isLoaded = true;
    this._show(conversation);
    this._retain(conversation);
    return conversation;
  }

  /**
   * Takes a webhook of the platform, for a bot without a live connection. The caller checks the signature, and keeps the
   * order of the webhooks of each conversation.
   *
   * @param {any} notification with `wsNotificationMsg`
   */
  async processWebhooksNotification(notification) {
    this.#webhooks.take(notification);
  }

  /**
   * Updates the skills, and emits `skill-entered-work-hours` and `skill-entered-off-hours`.
   *
   * @param {{ skillId: string | number, onShift: boolean, nextOn?: number | null, nextOff?: number | null }[]} list
   */
  processShiftStatusResponse(list) {
    for (const shift of list) {
      const skill = /** @type {Skill} */ (this._skill(String(shift.skillId)));
      const isFirst = skill.onShift === null;
      const wasOff = skill.isInOffHours();
      Object.assign(skill, { onShift: shift.onShift, nextOn: shift.nextOn ?? null, nextOff: shift.nextOff ?? null });
      if (isFirst || wasOff === skill.isInOffHours()) continue;
      this._dispatch(wasOff ? 'skill-entered-work-hours' : 'skill-entered-off-hours', shift);
    }
  }

  // What follows is for the other modules of this folder.

  /** The gateway's connection. Throws if this connection is not open. */
  get _session() {
    if (!this.#current?.attached) throw new Error(`the connection is not open: it is ${this.state}`);
    return this.#current;
  }

  get _isLimitBroken() {
    return this._options.limitBreakEnabled ?? this._options.userType === UserType.BRAND;
  }

  /** @param {unknown} error of a listener */
  _failed(error) {
    // One listener is always there.
    if (this.listenerCount('error') > 1) this._report(error);
    else super._failed(error);
  }

  /** @param {unknown} error in the background */
  _report(error) {
    try {
      this.emit('error', error);
    } catch (failure) {
      super._failed(failure);
    }
  }

  /**
   * The skill with an id; null for a conversation without a skill.
   *
   * @param {string | null} skillId
   */
  _skill(skillId) {
    if (skillId === null) return null;
    const known = this.#skills.get(skillId) ?? new Skill({ skillId });
    this.#skills.set(skillId, known);
    return known;
  }

  /** @returns {Conversation[]} */
  _withState() {
    return this.#current?.feed?.all() ?? [];
  }

  /** @param {Conversation} conversation */
  _feedHas(conversation) {
    return this.#current?.feed?.has(conversation) ?? false;
  }

  /** @param {import('./subscription.js').SubscriptionQuery} query */
  async _loaded({ stage }) {
    const stages =
      stage === undefined
        ? [ConversationState.OPEN, ConversationState.CLOSE, ConversationState.LOCKED]
        : [stage].flat();
    await this.#current?.feed?.loaded(stages);
  }

  /**
   * Makes a conversation visible.
   *
   * @param {Conversation} conversation
   * @returns {boolean} whether the conversation is new to the users of this connection
   */
  _show(conversation) {
    return this.#memory.show(conversation);
  }

  /** @param {Conversation} conversation */
  _retain(conversation) {
    this.#memory.retain(conversation);
  }

  /** @param {Conversation} conversation */
  _release(conversation) {
    this.#memory.release(conversation);
  }

  /** @param {Conversation} conversation */
  _unload(conversation) {
    if (!conversation._isLoaded)
      throw new Error(`conversation ${conversation.conversationId} was not loaded with loadConversation`);
    conversation._isLoaded = false;
    this._release(conversation);
  }

  /**
   * Lets the subscriptions look at a conversation that changed.
   *
   * @param {Conversation} conversation
   */
  _changed(conversation) {
    for (const subscription of this._subscriptions) subscription._consider(conversation);
    const isHeard = !conversation._isHidden && conversation.listenerCount('notification') > 0;
    if (isHeard) conversation._dispatch('notification', toProtocol(conversation));
  }

  /**
   * Emits the protocol's form of an event of the gateway.
   *
   * @param {Conversation} conversation
   * @param {import('./feed.js').GatewayEvent} event
   */
  _raw(conversation, event) {
    const body = messageNotification(conversation, event);
    if (body === null) return;
    conversation._dispatch('messageNotification', body);
    this._wire('messageNotification', messageType(this._options.userType), body);
  }

  /**
   * Emits a notification in the form of the platform's protocol.
   *
   * @param {string} name
   * @param {string} type
   * @param {object} body
   */
  _wire(name, type, body) {
    const whole = { kind: 'notification', type, body };
    this._dispatch(name, body);
    this._dispatch(type, whole);
    this._dispatch('notification', whole);
  }

  /**
   * Takes an event of the gateway's connection.
   *
   * @param {string} name
   * @param {any} data
   */
  _event(name, data) {
    if (name === 'ring') this.#rings.take(data);
    this.#current?.changed();
    // While the connection is opened, only its state matters.
    if (this.state !== ConnectionState.CONNECTED && this.state !== ConnectionState.DISCONNECTED) return;
    if (name === 'connection.disconnected') this.#disconnected(data);
    else if (name === 'connection.resuming') this._dispatch('reconnecting');
    else if (name === 'connection.waiting') this.#waits(data);
    else if (name === 'connection.resumed') this.#resumed(data);
    else if (name === 'connection.failed') this.#failed(data);
    else if (name === 'connection.identity-lost')
      this._report(new Error(`the identity of the consumer is lost: ${data.reason}`));
  }

  /** The stream of events was interrupted. */
  _interrupted() {
    this.#current?.interrupted();
  }

  /** @param {unknown} error the stream of events ended with it */
  _lost(error) {
    this.state = ConnectionState.FAILED_TO_CONNECT;
    this._report(error);
    this._dispatch('failed-to-connect', error);
  }

  async #begin() {
    this.#current = new Session(this);
    Object.assign(this, await this.#current.begin());
    if (this._options.userType === UserType.BRAND) this.userProfile = await this.getUserProfile().catch(() => null);
  }

  async #subscribe() {
    const { _options: options } = this;
    if (options.connectionType === ConnectionType.REST || options.createDefaultSubscription === false) return;
    const query = options.defaultSubscriptionQuery ?? { stage: stagesOf(options) };
    const waitForFirstNotification = (options.waitForFirstNotification || options.waitForReady) ?? false;
    this.defaultSubscription = new ConversationSubscription(this, query);
    await this.defaultSubscription.init(waitForFirstNotification);
  }

  async #detach() {
    const session = this.#current;
    await session?.end();
    forgetToken(this);
    this.#memory.freeze();
    this._subscriptions.clear();
    this.#rings.clear();
    this.#current = null;
  }

  /** @param {{ code?: number | null, reason: string }} data */
  #disconnected({ code, reason }) {
    // An attempt to connect again that fails is no further disconnect.
    if (this.state === ConnectionState.DISCONNECTED) return;
    const payload = { code: String(code ?? 1006), reason };
    this.state = ConnectionState.DISCONNECTED;
    if (this.maintainConnection) {
      this._dispatch('disconnect', payload);
      return;
    }
    this.shiftStatusPoller?.stop();
    this.#detach().then(() => this._dispatch('close', payload));
  }

  /** @param {{ reason: string, until: string, lastError?: string | null }} data */
  #waits({ reason, until, lastError }) {
    if (reason === 'credentials_refused') this._report(this.#current?.notReady(reason, lastError));
    this._dispatch('reconnect-wait', { seconds: Math.max(0, (Date.parse(until) - Date.now()) / 1_000) });
  }

  /** @param {{ agentId?: string | null, userId?: string | null }} data */
  #resumed({ agentId, userId }) {
    this.agentId = agentId ?? this.agentId;
    this.userId = userId ?? this.userId;
    if (this.state !== ConnectionState.DISCONNECTED) return;
    this.state = ConnectionState.CONNECTED;
    this._dispatch('connect');
    this._dispatch('reconnect');
  }

  /** @param {{ reason: string }} data */
  #failed({ reason }) {
    const error = this.#current?.notReady(reason);
    this.state = ConnectionState.FAILED_TO_CONNECT;
    this._report(error);
    this._dispatch('failed-to-connect', error);
  }

  /** @param {string} path */
  async #statistics(path) {
    const whole = `/api/messaging/rest/reporting/brands/${this.accountId}${path}/msgstatistics?v=1`;
    const response = await this.platform('asyncMessagingEnt', whole);
    if (!response.ok) throw new Error(`the message statistics were refused with ${response.status}`);
    return response.json();
  }
}
