// A client whose requests are recorded and answered by the test.

import { connect } from '../../lib/index.js';

export const json = (body, { status = 200, headers = {} } = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } });

export const problem = (status, code, more = {}, headers = {}) =>
  json(
    { type: 'about:blank', title: 'Error', status, detail: `because of ${code}`, code, ...more },
    {
      status,
      headers: { 'content-type': 'application/problem+json', ...headers },
    },
  );

/**
 * A client, and the requests that it makes. `answer` gets the request's number, from 0, and may throw as `fetch` does.
 */
export function recorded(answer = () => json({}), options = {}) {
  const requests = [];
  const fetch = async (url, init) => {
    const number = requests.length;
    requests.push({ url: new URL(url), ...init });
    init.signal?.throwIfAborted();
    const answered = answer(number, init);
    const aborted = new Promise((_, reject) =>
      init.signal?.addEventListener('abort', () => reject(init.signal.reason)),
    );
    return Promise.race([answered, aborted]);
  };
  return { requests, tertulia: connect({ url: 'http://gateway.example/base/', token: 'secret', fetch, ...options }) };
}

/** What `fetch` throws if the connection breaks. */
export const broken = () => Object.assign(new TypeError('fetch failed'), { cause: new Error('other side closed') });
