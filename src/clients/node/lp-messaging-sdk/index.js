// The entry `tertulia/lp-messaging-sdk`: the interface of lp-messaging-sdk on top of the gateway.

import * as names from './names.js';

export * from './names.js';
// Bots that are ES modules import the SDK as a whole.
export default names;
