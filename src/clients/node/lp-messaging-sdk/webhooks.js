// Webhooks of the platform that a bot takes itself, without a live connection.

import { Conversation } from './conversation.js';

/** Gives the notifications in webhooks to their conversations. */
export class WebhooksIntake {
  #connection;

  /** @param {import('./connection.js').Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /**
   * @param {any} notification
   * @throws {Error} the notification is of another kind
   */
  take(notification) {
    const { type, body } = notification?.wsNotificationMsg ?? {};
    if (/ExConversationChangeNotification$/.test(type))
      (body.changes ?? []).forEach((/** @type {any} */ each) => this.#state(each.result));
    else if (/(OnlineEventDistribution|MessagingEventNotification)$/.test(type))
      [body.changes ?? body].flat().forEach((each) => this.#record(each));
    else throw new Error(`a webhook of the type ${type} is no notification of a conversation`);
  }

  /** @param {any} state */
  #state(state) {
    const known = this.#connection.getConversationById(state.convId);
    const conversation = known ?? new Conversation(this.#connection, state.convId);
    conversation.processStateNotification(state);
    if (known !== null) return;
    this.#connection._show(conversation);
    this.#connection._retain(conversation);
    conversation._isLoaded = true;
    this.#connection._dispatch('conversation', conversation);
  }

  /** @param {any} record */
  #record(record) {
    const { conversationId, dialogId, sequence, originatorPId, originatorId, originatorMetadata, event } = record;
    const conversation = this.#connection.getConversationById(conversationId ?? dialogId);
    const dialog = conversation?._dialog(dialogId) ?? null;
    if (conversation === null || dialog === null) {
      this.#connection._report(new Error(`dialog ${dialogId} of conversation ${conversationId} is unknown`));
      return;
    }
    const author = { originatorId: originatorPId ?? originatorId, role: originatorMetadata?.role };
    if (event.type === 'ChatStateEvent') dialog.getParticipant(author.originatorId)?._setChatState(event.chatState);
    else if (event.type === 'AcceptStatusEvent')
      this.#receipt(dialog, { sequence, status: event.status, sequences: event.sequenceList, ...author });
    else this.#message(dialog, record, author);
    conversation._dispatch('messageNotification', record);
  }

  /** @param {import('./dialog.js').Dialog} dialog @param {Parameters<import('./dialog.js').Dialog['_receipt']>[0]} receipt */
  #receipt(dialog, receipt) {
    const messages = dialog._receipt(receipt);
    if (messages.length > 0) dialog._emit('message-delivery-event', messages);
  }

  /** @param {import('./dialog.js').Dialog} dialog @param {any} record @param {{ originatorId?: string, role?: string }} author */
  #message(dialog, { sequence, serverTimestamp, messageAudience, metadata, event }, author) {
    const body = event.message ?? event.content;
    const contentType = event.contentType ?? event.type;
    const { quickReplies } = event;
    const message = dialog._keep({
      sequence,
      time: serverTimestamp,
      messageAudience,
      metadata,
      body,
      contentType,
      quickReplies,
      ...author,
    });
    if (message !== null) dialog._emit('message', message);
  }
}
