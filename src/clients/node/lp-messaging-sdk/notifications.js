// Notifications in the form of the platform's protocol, made from the events of the gateway. They have what the gateway
// reports; the platform sends more.

import { UserType } from './enums.js';

/** @param {string | undefined} userType */
export function messageType(userType) {
  return userType === UserType.BRAND ? '.ams.ms.OnlineEventDistribution' : 'ms.MessagingEventNotification';
}

export function ringType() {
  return '.ams.routing.RoutingTaskNotification';
}

/**
 * @param {import('./conversation.js').Conversation} conversation
 * @param {import('./feed.js').GatewayEvent} event
 * @returns {object | null} null if the event is no record of a dialog
 */
export function messageNotification({ conversationId, accountId }, { name, data, time }) {
  const event = recordOf(name, data);
  if (event === null) return null;
  const originatorId = data.originatorId ?? data.userId ?? null;
  return {
    conversationId,
    dialogId: data.dialogId,
    sequence: data.sequence,
    originatorClientProperties: null,
    originatorId,
    originatorPId: originatorId,
    originatorMetadata: { id: originatorId, role: data.role ?? null },
    serverTimestamp: data.time ?? Date.parse(time),
    messageAudience: data.messageAudience ?? 'ALL',
    metadata: data.metadata ?? null,
    brandId: accountId,
    event,
  };
}

/** @param {string} name @param {any} data */
function recordOf(name, data) {
  if (name === 'chat-state') return { type: 'ChatStateEvent', chatState: data.chatState };
  if (name === 'message-delivery')
    return { type: 'AcceptStatusEvent', status: data.status, sequenceList: data.sequences };
  if (name !== 'message') return null;
  const { contentType, body, quickReplies } = data;
  const isRich = typeof body === 'object' && contentType !== 'hosted/file';
  if (isRich) return { type: 'RichContentEvent', content: body, quickReplies };
  return { type: 'ContentEvent', contentType, message: body, quickReplies };
}

/**
 * @param {import('./ring.js').Ring} ring
 * @param {string | null} subscriptionId
 */
export function ringNotification(ring, subscriptionId) {
  const { ringId, ringState, ringExpirationTs, brandId, conversationId, skillId, consumerId } = ring;
  const details = { ringId, ringState, ringExpirationTs, brandId, convId: conversationId, skillId, consumerId };
  return {
    subscriptionId,
    changes: [{ type: 'UPSERT', result: { conversationId, brandId, ringsDetails: [details] } }],
  };
}
