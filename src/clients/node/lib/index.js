// The package `tertulia`: what works in Node and in browsers.

export { connect, Tertulia } from './tertulia.js';
export { ProblemError, TertuliaError, TimeoutError, UnreachableError } from './errors.js';
export { memoryCursor } from './events/cursor.js';
