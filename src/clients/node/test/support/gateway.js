// A gateway on loopback whose answers the test writes.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from '../../lib/index.js';

/** Starts it; `answer(response, request, number)` answers each request. Ends with the test. */
export async function gateway(t, answer) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const number = requests.length;
    requests.push(request);
    request.text = Buffer.concat(await request.toArray()).toString();
    await answer(response, request, number);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${server.address().port}`;
  return { requests, url, tertulia: connect({ url, token: 'secret' }) };
}

/** Begins a stream of events. */
export function stream(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('retry: 1\n');
  return response;
}

/** An event on the stream; a heartbeat without a type. */
export const item = (number, type, more = {}) => {
  const id = `e-${number}`;
  if (type === undefined) return `id: ${id}\n: heartbeat\n\n`;
  const event = {
    specversion: '1.0',
    id,
    source: '/s',
    subject: 'c',
    connection: 'bots',
    type: `tertulia.${type}`,
    time: '',
    datacontenttype: 'application/json',
    data: {},
    ...more,
  };
  return `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;
};
