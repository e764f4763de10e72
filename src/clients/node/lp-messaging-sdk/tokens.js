// The words that stand for the tokens of open connections.

/** @type {Map<string, import('./connection.js').Connection>} */
const connections = new Map();

/**
 * Makes the word of a connection.
 *
 * @param {string} id of the gateway's connection
 * @param {import('./connection.js').Connection} connection
 */
export function tokenOf(id, connection) {
  const word = `tertulia-connection:${id}:${connection.connectionId}`;
  connections.set(word, connection);
  return word;
}

/**
 * Ends the use of a connection's word.
 *
 * @param {import('./connection.js').Connection} connection
 */
export function forgetToken(connection) {
  for (const [word, known] of connections) if (known === connection) connections.delete(word);
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
