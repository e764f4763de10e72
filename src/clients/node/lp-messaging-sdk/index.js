// The entry `tertulia/lp-messaging-sdk`: the interface of lp-messaging-sdk on top of the gateway.

import { configureProxy, createClientProperties, resetProxy } from './client_properties.js';
import { Connection } from './connection.js';
import { Conversation } from './conversation.js';
import { Dialog } from './dialog.js';
import * as enums from './enums.js';
import { unsupported } from './errors.js';
import { Message } from './message.js';
import { Participant } from './participant.js';
import * as rest from './rest.js';
import { Ring } from './ring.js';
import { ShiftStatusPoller } from './shift_status.js';
import { Skill } from './skill.js';
import { ConversationSubscription, RoutingTaskSubscription } from './subscription.js';

export * from './enums.js';
export {
  configureProxy,
  Connection,
  Conversation,
  ConversationSubscription,
  createClientProperties,
  Dialog,
  Message,
  Participant,
  resetProxy,
  Ring,
  RoutingTaskSubscription,
  ShiftStatusPoller,
  Skill,
};

const restFunctions = { v1: rest.v1 };
export { restFunctions as rest };

/**
 * Makes a connection, which `open()` opens.
 *
 * @param {import('./connection.js').ConnectionOptions} options
 * @returns {Connection}
 * @throws {Error} an option is missing, or only a program with a login of its own could have it
 */
export function createConnection(options) {
  const { accountId, userType, connectionType = enums.ConnectionType.WEBSOCKET, tokenMaintainer } = options ?? {};
  if (!accountId) throw new Error('accountId is a required parameter');
  if (tokenMaintainer) throw unsupported('a token maintainer', 'name the login in authData, or a connection of the gateway in the option connection');
  const { WEBSOCKET, REST, NULL } = enums.ConnectionType;
  const isPossible = connectionType === WEBSOCKET || (connectionType === REST && userType === enums.UserType.BRAND);
  if (connectionType !== NULL) {
    if (!Object.values(enums.UserType).includes(/** @type {any} */ (userType))) throw new Error(`Invalid userType: ${userType}`);
    if (!isPossible) throw new Error(`Unsupported connectionType: ${connectionType}`);
  }
  return new Connection({ ...options, connectionType });
}

/** Service discovery, which the gateway does. Every use throws. */
export const CSDS = {
  /** @returns {Promise<never>} */
  async lookup() {
    throw unsupported('service discovery', 'send the request with connection.platform(service, path)');
  },
};

/** The keeping of tokens, which the gateway does. The constructor throws. */
export class TokenMaintainer {
  constructor() {
    throw unsupported('a token maintainer', 'send requests with connection.platform(service, path)');
  }
}

export default {
  ...enums,
  configureProxy,
  Connection,
  Conversation,
  ConversationSubscription,
  createClientProperties,
  createConnection,
  CSDS,
  Dialog,
  Message,
  Participant,
  resetProxy,
  rest: restFunctions,
  Ring,
  RoutingTaskSubscription,
  ShiftStatusPoller,
  Skill,
  TokenMaintainer,
};
