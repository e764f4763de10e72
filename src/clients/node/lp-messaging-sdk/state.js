// The state of a conversation: as the gateway returns it, as the platform's protocol has it, and as members of the class.

import { createHash } from 'node:crypto';

/**
 * @typedef {object} ParticipantMembers
 * @property {string} userId
 * @property {string | null} [agentId]
 * @property {string} role
 * @property {string} state
 * @property {string} [chatState]
 */

/**
 * @typedef {object} DialogMembers
 * @property {string} dialogId
 * @property {string | null} [dialogType]
 * @property {string | null} [channelType]
 * @property {string} [state]
 * @property {number | null} [startTime]
 * @property {number | null} [updateTime]
 * @property {ParticipantMembers[]} [participants]
 * @property {number | null} [readByConsumer]
 * @property {number | null} [readByAssignedAgent]
 * @property {any} [raw] the dialog as the platform sent it
 */

/** The members that need no conversion. A member that is absent from a state stays as it is; null unsets it. */
export const PLAIN = /** @type {const} */ ([
  'accountId',
  'appInstId',
  'campaignId',
  'closeReason',
  'closeTime',
  'engagementId',
  'firstConversation',
  'groupId',
  'handlerAccountId',
  'handlerSkillId',
  'note',
  'numberOfunreadMessages',
  'stage',
  'startTime',
  'ttrEffective',
  'ttrEffectiveManual',
  'ttrType',
  'ttrValue',
  'updateTime',
]);

/** The counts of state notifications. */
export const COUNTS = /** @type {const} */ ([
  'notificationCount',
  'notificationIgnoredCount',
  'notificationOutOfOrderCount',
]);

/**
 * Converts members from the gateway to members of the class.
 *
 * @param {Record<string, any>} given a conversation of the gateway, or some of its members
 * @returns {Record<string, any> & { dialogs?: DialogMembers[] }}
 */
export function fromGateway(given) {
  /** @type {Record<string, any>} */
  const members = {};
  for (const name of [...PLAIN, ...COUNTS, 'skillId', 'dialogs']) if (name in given) members[name] = given[name];
  if ('csat' in given) members.csat = given.csat?.csatRate ?? null;
  if ('context' in given) Object.assign(members, splitContext(given.context));
  return members;
}

/**
 * Converts a state of the platform's protocol, of a brand's or a consumer's socket, to members of the class.
 *
 * @param {any} state with `conversationDetails`
 * @returns {Record<string, any> & { dialogs?: DialogMembers[] }}
 */
export function fromProtocol(state) {
  const details = state.conversationDetails;
  const agents = agentIds(details);
  const members = present({
    accountId: details.brandId,
    appInstId: details.appInstId,
    campaignId: details.campaignInfo?.campaignId,
    closeReason: details.closeReason,
    closeTime: details.endTs,
    csat: details.csat === undefined ? details.csatRate : (details.csat?.csatRate ?? null),
    engagementId: details.campaignInfo?.engagementId,
    firstConversation: details.firstConversation,
    groupId: details.groupId,
    handlerAccountId: details.conversationHandlerDetails?.accountId,
    handlerSkillId: details.conversationHandlerDetails?.skillId,
    note: details.note,
    numberOfunreadMessages: state.numberOfunreadMessages,
    skillId: details.skillId,
    stage: details.stage,
    startTime: details.startTs,
    ttrEffective: state.effectiveTTR,
    ttrEffectiveManual: details.manualETTR,
    ttrType: details.ttr?.ttrType,
    ttrValue: details.ttr?.value,
    updateTime: details.metaDataLastUpdateTs,
  });
  if (details.context !== undefined) Object.assign(members, splitContext(details.context));
  if (Array.isArray(details.dialogs)) {
    members.dialogs = details.dialogs.map((/** @type {any} */ dialog) => ({
      ...present({
        dialogId: dialog.dialogId,
        dialogType: dialog.dialogType,
        channelType: dialog.channelType,
        state: dialog.state,
        startTime: dialog.creationTs,
        updateTime: dialog.metaDataLastUpdateTs,
        participants: dialog.participantsDetails?.map((/** @type {any} */ each) => participant(each, agents)),
      }),
      raw: dialog,
    }));
  }
  return members;
}

/**
 * Makes a state of the platform's protocol from a conversation. Members that the gateway does not report are absent.
 *
 * @param {import('./conversation.js').Conversation} conversation
 */
export function toProtocol(conversation) {
  const { clientProperties, context } = conversation;
  return {
    convId: conversation.conversationId,
    effectiveTTR: conversation.ttrEffective,
    numberOfunreadMessages: conversation.numberOfunreadMessages,
    conversationDetails: {
      brandId: conversation.accountId,
      skillId: conversation.skill?.skillId ?? null,
      stage: conversation.stage,
      startTs: conversation.startTime,
      endTs: conversation.closeTime,
      closeReason: conversation.closeReason,
      metaDataLastUpdateTs: conversation.updateTime,
      firstConversation: conversation.firstConversation,
      groupId: conversation.groupId,
      csat: conversation.csat === null ? null : { csatRate: conversation.csat },
      note: conversation.note,
      appInstId: conversation.appInstId,
      ttr: { ttrType: conversation.ttrType, value: conversation.ttrValue },
      manualETTR: conversation.ttrEffectiveManual,
      campaignInfo: { campaignId: conversation.campaignId, engagementId: conversation.engagementId },
      conversationHandlerDetails: {
        accountId: conversation.handlerAccountId,
        skillId: conversation.handlerSkillId,
      },
      context: clientProperties === null ? context : { ...context, clientProperties },
      dialogs: conversation.dialogs.map(dialogToProtocol),
    },
  };
}

/** @param {import('./dialog.js').Dialog} dialog */
function dialogToProtocol(dialog) {
  return {
    dialogId: dialog.dialogId,
    dialogType: dialog.dialogType,
    channelType: dialog.channelType,
    state: dialog.state,
    creationTs: dialog.startTime,
    metaDataLastUpdateTs: dialog.updateTime,
    participantsDetails: dialog.participants.map(({ userId, agentId, role, state }) => ({
      id: agentId ?? userId,
      userId,
      agentId,
      role,
      state,
    })),
  };
}

/**
 * A digest of a whole state. The order of members does not matter.
 *
 * @param {unknown} state
 */
export function digest(state) {
  return createHash('sha256').update(JSON.stringify(state, sorted)).digest('hex');
}

/** @param {string} _name @param {unknown} value */
function sorted(_name, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** @param {any} context */
function splitContext(context) {
  if (context === null) return { context: null, clientProperties: null };
  const { clientProperties = null, ...others } = context;
  return { context: others, clientProperties };
}

/**
 * The agent id of each public user id. A brand's socket has two lists for each role, which match by position.
 *
 * @param {any} details
 * @returns {Map<string, string>} from agent id to user id
 */
function agentIds(details) {
  const agents = new Map();
  for (const [role, ids] of Object.entries(details.participants ?? {})) {
    const users = details.participantsPId?.[role];
    // Lists of different lengths cannot be matched.
    if (!Array.isArray(ids) || !Array.isArray(users) || users.length !== ids.length) continue;
    ids.forEach((id, place) => {
      if (!agents.has(id)) agents.set(id, users[place]);
    });
  }
  return agents;
}

/**
 * @param {any} given
 * @param {Map<string, string>} agents
 * @returns {ParticipantMembers}
 */
function participant({ id, userId, agentId, role, state }, agents) {
  if (userId !== undefined) return { userId, agentId: agentId ?? null, role, state };
  const user = agents.get(id);
  // A consumer is in both lists with the same id.
  return { userId: user ?? id, agentId: user === undefined || user === id ? null : id, role, state };
}

/** @param {Record<string, any>} members */
function present(members) {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
