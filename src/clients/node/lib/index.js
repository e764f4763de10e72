// The package `tertulia`: what works in Node and in browsers.

export { connect, Tertulia } from './tertulia.js';
export { ProblemError, TertuliaError, TimeoutError, UnreachableError } from './errors.js';
export { memoryCursor } from './events/cursor.js';

/** @typedef {import('./events/cursor.js').Cursor} Cursor */
/** @typedef {import('./types.js').Event} Event */
/** @typedef {import('./types.js').EventJson} EventJson */
/** @typedef {import('./types.js').EventType} EventType */
/** @typedef {import('./types.js').ProblemCode} ProblemCode */
/** @typedef {import('./types.js').Schemas} Schemas */
/** @typedef {import('./tertulia.js').ConnectOptions} ConnectOptions */
/** @typedef {import('./resources/connection.js').Connection} Connection */
/** @typedef {import('./resources/conversation.js').Conversation} Conversation */
/** @typedef {import('./http/transport.js').ActOptions} ActOptions */
/** @typedef {import('./http/transport.js').CallOptions} CallOptions */
/**
 * @template {EventType} [Type=EventType]
 * @typedef {import('./types.js').EventOf<Type>} EventOf
 */
