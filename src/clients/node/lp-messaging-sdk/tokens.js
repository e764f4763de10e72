// The words that stand for the tokens of open connections.

/** @type {Map<string, import('./connection.js').Connection>} */
const connections = new Map();

/** @param {string} id of the gateway's connection */
function word(id) {
  return `tertulia-connection:${id}`;
}

/**
 * Makes the word of a connection.
 *
 * @param {string} id of the gateway's connection
 * @param {import('./connection.js').Connection} connection
 */
export function tokenOf(id, connection) {
  connections.set(word(id), connection);
  return word(id);
}

/**
 * Ends the use of a connection's word.
 *
 * @param {string} id of the gateway's connection
 */
export function forgetToken(id) {
  connections.delete(word(id));
}

/**
 * The connection whose token a word stands for.
 *
 * @param {string} token
 */
export function connectionOf(token) {
  const connection = connections.get(token);
  if (connection === undefined) throw new Error('the token is not of getToken() of an open connection');
  return connection;
}
