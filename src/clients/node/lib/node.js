// The entry `tertulia/node`: what needs Node.

export { fileCursor } from './events/file_cursor.js';
