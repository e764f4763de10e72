// Conversations as text: what `serialize` writes and `loadConversation` reads.

import { createHash } from 'node:crypto';
import { Message } from './message.js';
import { COUNTS, PLAIN } from './state.js';

/**
 * @param {import('./conversation.js').Conversation} conversation
 * @param {string | null} digest of the last state
 */
export function serialize(conversation, digest) {
  /** @type {Record<string, unknown>} */
  const members = {};
  for (const name of [...PLAIN, ...COUNTS, 'csat', 'context', 'clientProperties'])
    members[name] = /** @type {any} */ (conversation)[name];
  return JSON.stringify({
    conversationId: conversation.conversationId,
    digest,
    members,
    skillId: conversation.skill?.skillId ?? null,
    newsAfter: conversation._newsAfter,
    dialogs: conversation.dialogs.map(dialogAsText),
  });
}

/** @param {import('./dialog.js').Dialog} dialog */
function dialogAsText(dialog) {
  const { dialogId, dialogType, channelType, state, startTime, updateTime } = dialog;
  return {
    members: {
      dialogId,
      dialogType,
      channelType,
      state,
      startTime,
      updateTime,
      participants: dialog.participants.map(plain),
    },
    departed: dialog._departed().map(plain),
    sequences: dialog._sequences(),
    messages: dialog.messages.map((message) => ({
      sequence: message.sequence,
      time: message.time,
      messageAudience: message.messageAudience,
      metadata: message.metadata,
      body: hash(message.body),
      contentType: message.contentType,
      originatorId: message.participant.userId,
      role: message.participant.role,
      receipts: message._receipts(),
    })),
  };
}

/**
 * @param {import('./conversation.js').Conversation} conversation an empty one
 * @param {string} text
 */
export function restore(conversation, text) {
  const { members, skillId, newsAfter, dialogs } = JSON.parse(text);
  conversation._install({ ...members, skillId, dialogs: dialogs.map((/** @type {any} */ { members: each }) => each) });
  conversation._newsAfter = newsAfter;
  for (const {
    members: { dialogId },
    departed,
    sequences,
    messages,
  } of dialogs) {
    const dialog = /** @type {import('./dialog.js').Dialog} */ (conversation._dialog(dialogId));
    for (const each of departed) dialog._restoreDeparted(each);
    for (const { receipts, ...each } of messages) {
      const message = dialog._keep(each);
      if (message instanceof Message) message._restore(receipts);
    }
    dialog._restoreSequences(sequences);
  }
}

/** @param {import('./participant.js').Participant} participant */
function plain({ userId, agentId, role, state, chatState }) {
  return { userId, agentId, role, state, chatState };
}

/**
 * A digest of a message's body: equal bodies can be recognised, and none can be read.
 *
 * @param {unknown} body
 */
function hash(body) {
  return createHash('sha256')
    .update(typeof body === 'string' ? body : JSON.stringify(body))
    .digest('hex');
}
