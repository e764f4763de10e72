// The names that lp-messaging-sdk exports.

import { Connection } from './connection.js';
import { ConnectionType, UserType } from './enums.js';
import { unsupported } from './errors.js';

/** @typedef {import('./connection.js').ConnectionOptions} ConnectionOptions */
/** @typedef {import('./subscription.js').SubscriptionQuery} SubscriptionQuery */

export * from './enums.js';
export { configureProxy, createClientProperties, resetProxy } from './client_properties.js';
export { Conversation } from './conversation.js';
export { Dialog } from './dialog.js';
export { CSDS } from './discovery.js';
export { Message } from './message.js';
export { Participant } from './participant.js';
export { rest } from './rest.js';
export { Ring } from './ring.js';
export { ShiftStatusPoller } from './shift_status.js';
export { Skill } from './skill.js';
export { ConversationSubscription, RoutingTaskSubscription } from './subscription.js';
export { Connection };

/**
 * Makes a connection, which `open()` opens.
 *
 * @param {ConnectionOptions} options
 * @returns {Connection}
 * @throws {Error} an option is missing, or only a program with a login of its own could have it
 */
export function createConnection(options) {
  const { accountId, userType, connectionType = ConnectionType.WEBSOCKET, tokenMaintainer } = options ?? {};
  if (!accountId) throw new Error('accountId is a required parameter');
  if (tokenMaintainer)
    throw unsupported(
      'a token maintainer',
      'name the login in authData, or a connection of the gateway in the option connection',
    );
  const { WEBSOCKET, REST, NULL } = ConnectionType;
  const isPossible = connectionType === WEBSOCKET || (connectionType === REST && userType === UserType.BRAND);
  if (connectionType !== NULL) {
    if (!Object.values(UserType).includes(/** @type {any} */ (userType)))
      throw new Error(`Invalid userType: ${userType}`);
    if (!isPossible) throw new Error(`Unsupported connectionType: ${connectionType}`);
  }
  return new Connection({ ...options, connectionType });
}

/** The keeping of tokens, which the gateway does. The constructor throws. */
export class TokenMaintainer {
  constructor() {
    throw unsupported('a token maintainer', 'send requests with connection.platform(service, path)');
  }
}
