// The events of a whole state: what a state notification changes in a conversation, in the order of the SDK.

import { ConversationState, DialogState, ParticipantRole, ParticipantState } from './enums.js';

/** @typedef {import('./conversation.js').Conversation} Conversation */
/** @typedef {import('./dialog.js').Dialog} Dialog */

/**
 * Brings a conversation to a state, and emits an event for each change.
 *
 * @param {Conversation} conversation
 * @param {Record<string, any> & { dialogs?: import('./state.js').DialogMembers[] }} members members that are absent stay
 */
export function applyState(conversation, members) {
  const { groupId, skillId, stage, closeTime, closeReason, ttrType, ttrValue, ttrEffectiveManual, dialogs, ...others } =
    members;
  conversation._assign(others);
  if (groupId !== undefined) conversation._changeGroup(groupId);
  const isSkillChanged = skillId !== undefined && conversation._changeSkill(skillId);
  if (stage !== undefined && stage !== ConversationState.CLOSE) conversation._assign({ stage });
  if (stage === ConversationState.CLOSE) conversation._closed({ closeTime, closeReason });
  if (ttrType !== undefined || ttrValue !== undefined) conversation._changeTtr({ ttrType, ttrValue });
  if (ttrEffectiveManual !== undefined) conversation._changeManualEttr({ ttrEffectiveManual });
  for (const dialog of dialogs ?? []) applyDialog(conversation, dialog, isSkillChanged);
}

/**
 * @param {Conversation} conversation
 * @param {import('./state.js').DialogMembers} members
 * @param {boolean} isSkillChanged
 */
function applyDialog(conversation, members, isSkillChanged) {
  const dialog = conversation._dialog(members.dialogId);
  if (dialog === null) {
    conversation._openDialog(members);
    return;
  }
  const { raw, participants, state, ...others } = members;
  if (others.updateTime != null && dialog.updateTime !== null && others.updateTime < dialog.updateTime) {
    dialog._dispatch('notification-out-of-order', raw ?? members);
    return;
  }
  dialog._install(others);
  if (state !== undefined && state !== dialog.state) {
    if (state === DialogState.CLOSE) conversation._dialogClosed(dialog, raw ?? members);
    else conversation._report(new Error(`dialog ${dialog.dialogId} cannot change from ${dialog.state} to ${state}`));
  }
  if (participants !== undefined) applyParticipants(dialog, participants, isSkillChanged);
}

/**
 * All participants change before the first event, because a listener may read them.
 *
 * @param {Dialog} dialog
 * @param {import('./state.js').ParticipantMembers[]} next
 * @param {boolean} isSkillChanged
 */
function applyParticipants(dialog, next, isSkillChanged) {
  const before = new Map(dialog.participants.map((participant) => [participant, participant.state]));
  const now = new Set(next.map((each) => dialog._present(each)));
  const left = [...before.keys()].filter((participant) => !now.has(participant));
  left.forEach((participant) => dialog._depart(participant));

  const isNew = (/** @type {any} */ each) => !before.has(each);
  const { ACTIVE, SUGGESTED } = ParticipantState;
  for (const participant of now) {
    const wasSuggested = before.get(participant) === SUGGESTED;
    if (participant.state === ACTIVE && (isNew(participant) || wasSuggested))
      dialog._emit('participant-added', added(participant, wasSuggested));
  }
  for (const participant of now) {
    if (participant.state !== SUGGESTED || !isNew(participant)) continue;
    dialog._emit('participant-suggested', participant);
    if (participant.role === ParticipantRole.ASSIGNED_AGENT) dialog._emit('transfer-agent', participant);
  }
  const wasSuggested = (/** @type {any} */ each) => before.get(each) === SUGGESTED;
  for (const participant of left.filter((each) => !wasSuggested(each)))
    dialog._emit('participant-removed', participant);
  for (const participant of left.filter(wasSuggested)) dialog._emit('participant-suggested-removed', participant);

  const hasLeft = left.some(({ role }) => role === ParticipantRole.ASSIGNED_AGENT);
  if (hasLeft && dialog.assignedAgent === null && !isSkillChanged) dialog._emit('back-to-queue');
  const consumer = left.find(({ role }) => role === ParticipantRole.CONSUMER);
  if (consumer !== undefined && dialog.consumer !== null)
    dialog._emit('consumer-step-up', stepUp(dialog.consumer, consumer));
  if (isSkillChanged && dialog.assignedAgent === null && dialog === dialog.conversation.mainDialog) {
    dialog._emit('transfer-skill', { skillId: dialog.conversation.skill?.skillId ?? null });
  }
}

/**
 * The payload of `participant-added`.
 *
 * @param {import('./participant.js').Participant} participant
 * @param {boolean} previouslySuggested
 */
export function added(participant, previouslySuggested) {
  return { participant, context: { previouslySuggested } };
}

/**
 * The payload of `consumer-step-up`.
 *
 * @param {import('./participant.js').Participant} participant
 * @param {import('./participant.js').Participant} previous
 */
export function stepUp(participant, previous) {
  return { participant, previous };
}
