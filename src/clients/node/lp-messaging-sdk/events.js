// What an event of the gateway changes in a conversation, and which events of the SDK follow.
//
// An event that changes nothing is left out: the state that this side read first may contain it already.

import { added, stepUp } from './differences.js';
import { ParticipantState } from './enums.js';
import { fromGateway } from './state.js';

/** @typedef {import('./conversation.js').Conversation} Conversation */
/** @typedef {import('./dialog.js').Dialog} Dialog */

/** By the event's type, without `tertulia.`. @type {Record<string, (conversation: Conversation, data: any) => void>} */
const APPLY = {
  update: (conversation, { changed }) => update(conversation, changed),
  close: (conversation, data) => conversation._closed(data),
  'skill-change': (conversation, { newSkillId = null }) => {
    conversation._isRepeated = !conversation._changeSkill(newSkillId);
  },
  'group-change': (conversation, { newGroupId = null }) => conversation._changeGroup(newGroupId),
  'ttr-change': (conversation, data) => conversation._changeTtr(data),
  'manual-ettr-change': (conversation, { ttrEffectiveManual = null, ttrEffective }) =>
    conversation._changeManualEttr({ ttrEffectiveManual, ttrEffective }),
  dialog: (conversation, data) => openDialog(conversation, data),
  'dialog.close': (conversation, data) => within(conversation, data, (dialog) => closeDialog(dialog, data)),
  'participant-added': (conversation, data) => within(conversation, data, (dialog) => join(dialog, data)),
  'participant-suggested': (conversation, data) => within(conversation, data, (dialog) => suggest(dialog, data)),
  'participant-removed': (conversation, data) =>
    within(conversation, data, (dialog) => part(dialog, data, 'participant-removed')),
  'participant-suggested-removed': (conversation, data) =>
    within(conversation, data, (dialog) => part(dialog, data, 'participant-suggested-removed')),
  'participant-role-change': (conversation, data) =>
    within(conversation, data, (dialog) =>
      dialog.getParticipant(data.participant.userId)?._setRole(data.participant.role),
    ),
  'transfer-agent': (conversation, data) =>
    follow(conversation, data, (dialog) => dialog._emit('transfer-agent', dialog._present(data.participant))),
  'transfer-skill': (conversation, data) =>
    follow(conversation, data, (dialog) => dialog._emit('transfer-skill', { skillId: data.skillId })),
  'back-to-queue': (conversation, data) => follow(conversation, data, (dialog) => dialog._emit('back-to-queue')),
  'consumer-step-up': (conversation, data) => follow(conversation, data, (dialog) => replaceConsumer(dialog, data)),
  message: (conversation, data) => within(conversation, data, (dialog) => message(dialog, data)),
  'message-delivery': (conversation, data) => within(conversation, data, (dialog) => delivery(dialog, data)),
  'chat-state': (conversation, data) =>
    within(conversation, data, (dialog) => dialog.getParticipant(data.userId)?._setChatState(data.chatState)),
  'notification-ignored': (conversation, data) => {
    conversation.notificationIgnoredCount += 1;
    conversation._dispatch('notification-ignored', data);
  },
  'notification-out-of-order': (conversation, data) => {
    conversation.notificationOutOfOrderCount += 1;
    conversation._dispatch('notification-out-of-order', data);
  },
  gap: (conversation, data) => gap(conversation, data),
};

/**
 * Takes an event of a conversation whose state is known.
 *
 * @param {Conversation} conversation
 * @param {import('./feed.js').GatewayEvent} event
 */
export function applyEvent(conversation, { name, data }) {
  APPLY[name]?.(conversation, data);
}

/** @param {Conversation} conversation @param {Record<string, any>} changed */
function update(conversation, changed) {
  const { dialogs = [], skillId, ...others } = fromGateway(changed);
  conversation._assign(others);
  if (skillId !== undefined) conversation.skill = conversation.connection._skill(skillId);
  for (const each of dialogs) conversation._dialog(each.dialogId)?._install(each);
  if (conversation._newsAfter === Infinity) conversation._newsAfter = conversation.updateTime ?? 0;
}

/**
 * Acts in the dialog of an event. An unknown dialog is an error.
 *
 * @param {Conversation} conversation
 * @param {{ dialogId: string }} data
 * @param {(dialog: Dialog) => void} act
 */
function within(conversation, { dialogId }, act) {
  const dialog = conversation._dialog(dialogId);
  if (dialog === null)
    conversation._report(new Error(`dialog ${dialogId} of conversation ${conversation.conversationId} is unknown`));
  else act(dialog);
}

/**
 * As {@link within}, for an event that only says what the events before it mean.
 *
 * @param {Conversation} conversation
 * @param {{ dialogId: string }} data
 * @param {(dialog: Dialog) => void} act
 */
function follow(conversation, data, act) {
  if (conversation._isRepeated) return;
  within(conversation, data, act);
}

/** @param {Conversation} conversation @param {import('./state.js').DialogMembers} data */
function openDialog(conversation, data) {
  const known = conversation._dialog(data.dialogId);
  if (known === null) conversation._openDialog(data);
  else known._install(data);
}

/** @param {Dialog} dialog @param {any} data */
function closeDialog(dialog, data) {
  dialog._install({ dialogId: dialog.dialogId, updateTime: data.metaDataLastUpdateTs });
  dialog.conversation._dialogClosed(dialog, { ...data, participantDetails: data.participantsDetails });
}

/** @param {Dialog} dialog @param {any} data */
function join(dialog, { participant: members, context }) {
  const known = dialog.getParticipant(members.userId);
  if (known?.state === ParticipantState.ACTIVE) return;
  const participant = dialog._present(members);
  // The history that follows is older than the own part in the dialog; the next update has the time.
  if (dialog._isSelf(participant)) dialog.conversation._newsAfter = Infinity;
  dialog._emit('participant-added', added(participant, context.previouslySuggested));
}

/** @param {Dialog} dialog @param {any} data */
function suggest(dialog, { participant: members }) {
  const { conversation } = dialog;
  conversation._isRepeated = dialog.getParticipant(members.userId) !== null;
  if (!conversation._isRepeated) dialog._emit('participant-suggested', dialog._present(members));
}

/** @param {Dialog} dialog @param {any} data @param {string} event */
function part(dialog, { participant: { userId } }, event) {
  const participant = dialog.getParticipant(userId);
  dialog.conversation._isRepeated = participant === null;
  if (participant === null) return;
  dialog._depart(participant);
  dialog._emit(event, participant);
}

/** @param {Dialog} dialog @param {any} data */
function replaceConsumer(dialog, { participant, previous }) {
  dialog._emit(
    'consumer-step-up',
    stepUp(dialog._author(participant.userId, participant.role), dialog._author(previous.userId, previous.role)),
  );
}

/** @param {Dialog} dialog @param {any} data */
function message(dialog, data) {
  const kept = dialog._keep(data);
  if (kept === null) return;
  const isNews = !data.backFilled || (data.time ?? 0) > dialog.conversation._newsAfter;
  if (isNews) dialog._emit('message', kept);
}

/** @param {Dialog} dialog @param {any} data */
function delivery(dialog, data) {
  const messages = dialog._receipt(data);
  if (messages.length > 0) dialog._emit('message-delivery-event', messages);
}

/** @param {Conversation} conversation @param {any} data */
function gap(conversation, { dialogId, from, to, awaited }) {
  if (awaited) return;
  conversation._report(new Error(`messages ${from} to ${to} of dialog ${dialogId} are missing`));
}
