// The REST functions of the SDK. Each takes the word of `connection.getToken()` as its token, and goes through the gateway
// with the login of that connection.

import { connectionOf } from './tokens.js';

/** @typedef {{ accountId: string, token: string, conversationId: string, dialogId?: string }} Place */

export const v1 = Object.freeze({
  version: 'RESTv1',

  /** @param {Place} place */
  getConversationById: async (place) => (await send(place, 'GET', conversation(place))).body,

  /** @param {Place} place */
  getDialogById: async (place) => (await send(place, 'GET', dialog(place))).body,

  /** @param {Place & { agentId: string }} place */
  getSingleParticipant: async (place) => (await send(place, 'GET', `${dialog(place)}/participants/${encodeURIComponent(place.agentId)}`)).body,

  /** @param {Place & { agentId: string, role: string, state?: string }} place */
  addParticipant: async ({ agentId: id, role, state = 'ACTIVE', ...place }) =>
    (await send(place, 'POST', `${dialog(place)}/participants`, { id, role, state })).body,

  /** @param {Place & { agentId: string }} place */
  removeParticipant: async (place) => change(place, dialog(place), 'DELETE', `${dialog(place)}/participants/${encodeURIComponent(place.agentId)}`),

  /** @param {Place & { removeAgentId: string, transferToSkillId?: string, transferToAgentId?: string }} place */
  transferConversation: async ({ removeAgentId, transferToSkillId, transferToAgentId, ...place }) => {
    const to = new URLSearchParams();
    if (transferToSkillId) to.set('transferToSkillId', transferToSkillId);
    if (transferToAgentId) to.set('transferToAgentId', transferToAgentId);
    return change(place, conversation(place), 'DELETE', `${dialog(place)}/participants/${encodeURIComponent(removeAgentId)}?${to}`);
  },

  /** @param {Place & { closeReason?: string }} place */
  closeDialog: async ({ closeReason = 'AGENT', ...place }) => change(place, dialog(place), 'PATCH', dialog(place), { state: 'CLOSE', closeReason }),

  /** @param {Place & { stage: string }} place */
  updateConversationStage: async ({ stage, ...place }) => change(place, conversation(place), 'PATCH', conversation(place), { stage }),

  /** @param {Place & { type?: string, ttrType?: string, value?: number }} place */
  updateTTR: async ({ ttrType, type = ttrType, value = 0, ...place }) => change(place, conversation(place), 'PATCH', conversation(place), { type, value }),

  /** @param {Place & { manualETTR?: number, time?: number }} place */
  updateManualETTR: async ({ time, manualETTR = time, ...place }) => change(place, conversation(place), 'PATCH', conversation(place), { manualETTR }),

  /** @param {Place & { text: string, metadata?: unknown, messageAudience?: string }} place */
  publishMessage: async ({ text, metadata, messageAudience = 'ALL', ...place }) =>
    publish(place, { type: 'PLAIN_TEXT', content: { text }, metadata, messageAudience }),

  /** @param {Place & { content: object, metadata?: unknown, messageAudience?: string }} place */
  publishRichContent: async ({ content, metadata, messageAudience = 'ALL', ...place }) =>
    publish(place, { type: 'RICH_CONTENT', content, metadata, messageAudience }),

  /** @param {Place & { sequenceList: number[], status: string }} place */
  publishAcceptStatus: async ({ sequenceList, status, ...place }) => publish(place, { type: 'ACKNOWLEDGEMENT', content: { sequenceList, status } }),

  /** @param {Place & { chatState: string }} place */
  setChatState: async ({ chatState, ...place }) => publish(place, { type: 'CHAT_STATE', content: { chatState } }),

  /** @param {Place & { limit?: number, newerThanSequence?: number, olderThanSequence?: number, offset?: number, filters?: string }} place */
  getMessages: async ({ limit, newerThanSequence, olderThanSequence, offset, filters, ...place }) => {
    const given = Object.entries({ limit, newerThanSequence, olderThanSequence, offset, filters }).filter(([, value]) => value !== undefined);
    const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    return (await send(place, 'GET', `${dialog(place)}/messages?${query}`)).body;
  },

  /** @param {{ accountId: string, token: string, fileSize: number | string, fileType: string }} file */
  getUploadUrl: async ({ fileSize, fileType, ...place }) =>
    (await send(place, 'POST', `/v1/brands/${place.accountId}/file-upload-path`, { fileSize, fileType })).body,

  /** @param {{ accountId: string, token: string, relativePath: string }} file */
  getDownloadUrl: async ({ relativePath, ...place }) =>
    (await send(place, 'POST', `/v1/brands/${place.accountId}/file-download-path`, { relativePath })).body,
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
async function publish(place, message) {
  return (await send(place, 'POST', `${dialog(place)}/messages`, message)).body;
}

/**
 * Changes something, if it has not changed since it was read.
 *
 * @param {Place} place
 * @param {string} read the path of what is changed
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 */
async function change(place, read, method, path, body) {
  const { etag } = await send(place, 'GET', read);
  return (await send(place, method, path, body, etag === null ? {} : { 'if-match': etag })).body;
}

/**
 * @param {{ accountId: string, token: string }} place
 * @param {string} method
 * @param {string} path
 * @param {object} [content]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<{ body: any, etag: string | null }>}
 */
async function send({ accountId, token }, method, path, content, headers = {}) {
  const options = {
    method,
    headers: { 'content-type': 'application/json', 'brand-id': accountId, 'client-source': 'lp-messaging-sdk', ...headers },
    body: content === undefined ? undefined : JSON.stringify(content),
  };
  const response = await connectionOf(token).platform('asyncMessagingEnt', path, options);
  const text = await response.text();
  const body = text === '' ? null : parsed(text);
  if (!response.ok) throw Object.assign(new Error(`${method} ${path} was refused with ${response.status}`), { code: response.status, body });
  return { body, etag: response.headers.get('etag') };
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
