// Idempotency keys.

/** Makes a key that no other call has. */
export function newKey() {
  const random = globalThis.crypto?.getRandomValues?.(new Uint8Array(16)) ?? pseudoRandom();
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Random enough for a key, for Node 18, which has no global `crypto`. A key is not a secret. */
function pseudoRandom() {
  return Uint8Array.from({ length: 16 }, () => Math.floor(Math.random() * 256));
}
