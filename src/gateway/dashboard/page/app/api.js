// The gateway's endpoints. Addresses are relative, so that another server can serve the gateway below a path.

import { authorization } from './session.js';

/** How long one response may take. */
const PATIENCE = 15_000;

/** A failed request. `status` is 0 if no response arrived. */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export async function get(path, parameters = {}, signal = undefined) {
  return ask('GET', path, parameters, undefined, signal);
}

/** With `key`, repetitions of the same request act once. Without it, every call acts. */
export async function post(path, parameters = {}, body = undefined, key = newKey()) {
  return ask('POST', path, parameters, body, undefined, key);
}

export async function patch(path, body) {
  return ask('PATCH', path, {}, body);
}

export async function remove(path, parameters = {}) {
  return ask('DELETE', path, parameters, undefined);
}

/** An idempotency key. */
export function newKey() {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
}

async function ask(method, path, parameters, body, signal, key) {
  const patience = AbortSignal.timeout(PATIENCE);
  const headers = { accept: 'application/json', ...authorization() };
  if (key !== undefined) headers['idempotency-key'] = key;
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response;
  let text;
  try {
    response = await fetch(address(path, parameters), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([patience, signal]) : patience,
      cache: 'no-store',
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, 'unreachable', 'The service cannot be reached.');
  }
  let answer = null;
  try {
    answer = text === '' ? null : JSON.parse(text);
  } catch {
    answer = null;
  }
  if (response.ok && (text === '' || answer !== null)) return answer;
  const otherwise = response.ok ? 'The response did not come from this service.' : response.statusText;
  throw new Problem(response.status, answer?.code ?? 'error', answer?.detail ?? otherwise);
}

/** Reads a list page by page, up to `most` items, and returns whether more exist. `onPage` gets the items so far. */
export async function list(path, parameters, most, signal, { page: size = 1000, onPage = () => {} } = {}) {
  const items = [];
  let cursor;
  do {
    const page = await get(path, { ...parameters, limit: Math.min(size, most - items.length), cursor }, signal);
    items.push(...page.items);
    cursor = page.nextCursor ?? undefined;
    onPage(items);
  } while (cursor !== undefined && items.length < most);
  return { items, more: cursor !== undefined };
}

/** An address with its parameters, without those that have no value. */
export function address(path, parameters = {}) {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== '') url.searchParams.append(name, one);
    }
  }
  return url;
}
