// The REST functions of the SDK. Each takes the word of `connection.getToken()` as its token, and goes through the gateway
// with the login of that connection. Each resolves with the answer in the form of the SDK: `data`, `status`, `headers`.

import { MessageAudience, ParticipantState } from './enums.js';
import { connectionOf } from './tokens.js';

/** @typedef {{ accountId: string, token: string }} Caller */
/** @typedef {Caller & { conversationId: string, dialogId?: string }} Place the dialog is the main one by default */
/** @typedef {{ data: any, status: number, statusText: string, headers: Record<string, string> }} Answer */

export const rest = Object.freeze({
  version: 'RESTv1',

  notificationTypes: Object.freeze({
    ExConversationChangeNotification: '.ams.aam.ExConversationChangeNotification',
    MessagingEventNotification: '.ams.ms.OnlineEventDistribution',
  }),

  /** @param {Place} place */
  getConversationById: async (place) => send(place, 'GET', conversation(place)),

  /** @param {Place & { agentId: string, participantRole: string }} place */
  addParticipant: async ({ agentId: id, participantRole: role, ...place }) =>
    send(place, 'POST', `${dialog(place)}/participants`, { id, role, state: ParticipantState.ACTIVE }),

  /** @param {Place & { skillId?: string | null, agentId?: string | null, removeAgentId?: string | null }} place */
  transferConversation: async ({ skillId = null, agentId = null, removeAgentId = null, ...place }) => {
    if (removeAgentId === null) throw new Error('removeAgentId is required: the assigned agent');
    if (agentId === removeAgentId) throw new Error(`cannot transfer to the same agent ${agentId}`);
    const to = new URLSearchParams();
    if (skillId !== null) to.set('transferToSkillId', skillId);
    if (agentId !== null) to.set('transferToAgentId', agentId);
    const participant = `${dialog(place)}/participants/${encodeURIComponent(removeAgentId)}`;
    return change(place, participant, 'DELETE', `${participant}?${to}`);
  },

  /** @param {Place & { closeReason?: string }} place */
  closeDialog: async ({ closeReason, ...place }) =>
    change(place, dialog(place), 'PATCH', dialog(place), { state: 'CLOSE', closeReason }),

  /** @param {Place & { stage: string }} place */
  updateConversationStage: async ({ stage, ...place }) => changeConversation(place, { stage }),

  /** @param {Place & { type: string, value?: number }} place `value` is in seconds */
  updateTTR: async ({ type, value, ...place }) => changeConversation(place, { type, value }),

  /** @param {Place & { manualETTR: number }} place in milliseconds since the epoch */
  updateManualETTR: async ({ manualETTR, ...place }) => changeConversation(place, { manualETTR }),

  /** @param {Place & { text: string, metadata?: unknown, messageAudience?: string }} place */
  publishMessage: async ({ text, metadata, messageAudience = MessageAudience.ALL, ...place }) =>
    publish(place, { type: 'PLAIN_TEXT', content: { text }, metadata, messageAudience }),

  /** @param {Place & { content: object, metadata?: unknown, messageAudience?: string }} place */
  publishRichContent: async ({ content, metadata, messageAudience = MessageAudience.ALL, ...place }) =>
    publish(place, { type: 'RICH_CONTENT', content, metadata, messageAudience }),

  /** @param {Place & { sequenceList: number[], status: string }} place */
  publishAcceptStatus: async ({ sequenceList, status, ...place }) =>
    publish(place, { type: 'ACKNOWLEDGEMENT', content: { sequenceList, status } }),

  /** @param {Place & { chatState: string }} place */
  setChatState: async ({ chatState, ...place }) => publish(place, { type: 'CHAT_STATE', content: { chatState } }),

  /** @param {Caller & { dialogId: string, maxQuantity?: number | null, sequenceMin?: number | null, sequenceMax?: number | null, offset?: number | null, filters?: string | null }} query */
  getMessages: async ({ dialogId, maxQuantity, sequenceMin, sequenceMax, offset, filters, ...caller }) => {
    const values = {
      limit: maxQuantity,
      newerThanSequence: sequenceMin,
      olderThanSequence: sequenceMax,
      offset,
      filters,
    };
    const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
    const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    return send(caller, 'GET', `${dialog({ conversationId: dialogId })}/messages?${query}`);
  },

  /** @param {Caller & { fileSize: number | string, fileType: string }} file */
  getUploadUrl: async ({ fileSize, fileType, ...caller }) =>
    send(caller, 'POST', `/v1/brands/${caller.accountId}/file-upload-path`, { fileSize, fileType }),

  /** @param {Caller & { relativePath: string }} file */
  getDownloadUrl: async ({ relativePath, ...caller }) =>
    send(caller, 'POST', `/v1/brands/${caller.accountId}/file-download-path`, { relativePath }),
});

/** @param {{ conversationId: string }} place */
function conversation({ conversationId }) {
  return `/v1/conversations/${encodeURIComponent(conversationId)}`;
}

/** @param {{ conversationId: string, dialogId?: string }} place */
function dialog({ conversationId, dialogId = conversationId }) {
  return `${conversation({ conversationId })}/dialogs/${encodeURIComponent(dialogId)}`;
}

/** @param {Place} place @param {object} message */
function publish(place, message) {
  return send(place, 'POST', `${dialog(place)}/messages`, message);
}

/** @param {Place} place @param {object} body */
function changeConversation(place, body) {
  return change(place, conversation(place), 'PATCH', conversation(place), body);
}

/**
 * Changes something, if it has not changed since it was read.
 *
 * @param {Caller} caller
 * @param {string} read the path of what is changed
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 */
async function change(caller, read, method, path, body) {
  const {
    headers: { etag },
  } = await send(caller, 'GET', read);
  return send(caller, method, path, body, etag === undefined ? {} : { 'if-match': etag });
}

/**
 * @param {Caller} caller
 * @param {string} method
 * @param {string} path
 * @param {object} [content]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<Answer>}
 * @throws {Error} with `response`, if the platform refuses the request
 */
async function send({ accountId, token }, method, path, content, headers = {}) {
  const connection = connectionOf(token.replace(/^Bearer /, ''));
  const body = content === undefined ? undefined : JSON.stringify(content);
  const options = { method, headers: { 'content-type': 'application/json', 'brand-id': accountId, ...headers }, body };
  const response = await connection.platform('asyncMessagingEnt', path, options);
  const { status, statusText } = response;
  const answer = {
    data: parsed(await response.text()),
    status,
    statusText,
    headers: Object.fromEntries(response.headers),
  };
  if (response.ok) return answer;
  throw Object.assign(new Error(`${method} ${path} was refused with ${status}`), { response: answer });
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
