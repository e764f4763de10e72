// One consumer on the emulated account, by the consumer's own door: an anonymous identity and its socket.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { DEADLINE, Hearing } from './hearing.js';
import { account, host } from './platform.js';

export class Consumer {
  #socket;
  #hearing = new Hearing();
  #requests = 0;

  constructor(id, socket) {
    this.id = id;
    this.#socket = socket;
    socket.on('message', (data) => this.#hearing.tell(JSON.parse(data)));
  }

  /** Signs up and introduces itself; the socket closes when the test ends. */
  static async connect(t) {
    const signal = AbortSignal.timeout(DEADLINE);
    const signup = await fetch(`https://${host}/api/account/${account}/signup`, { method: 'POST', signal });
    const { jwt } = await signup.json();
    const socket = new WebSocket(`wss://${host}/ws_api/account/${account}/messaging/consumer?v=3`);
    t.after(() => socket.terminate());
    await once(socket, 'open', { signal });
    const { sub } = JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));
    const consumer = new Consumer(sub, socket);
    const headers = [{ type: '.ams.headers.ConsumerAuthentication', jwt }];
    await consumer.request('InitConnection', {}, headers);
    return consumer;
  }

  /** A request; the body of its answer. */
  async request(type, body, headers) {
    const id = String((this.#requests += 1));
    this.#socket.send(JSON.stringify({ kind: 'req', id, type, body, headers }));
    const answer = await this.#hearing.until(`the answer to ${type}`, ({ reqId, ...rest }) => reqId === id && rest);
    assert.equal(answer.code, 200, JSON.stringify(answer));
    return answer.body;
  }

  /** The first event of a dialog that satisfies. */
  event(dialog, satisfies) {
    const inDialog = ({ type, body }) => type === 'ms.MessagingEventNotification' && body.dialogId === dialog;
    return this.#hearing.until(
      `an event of ${dialog}`,
      (frame) => inDialog(frame) && frame.body.changes.find(satisfies),
    );
  }

  /** Every event of a dialog so far. */
  events(dialog) {
    const ofDialog = ({ type, body }) =>
      type === 'ms.MessagingEventNotification' && body.dialogId === dialog ? body.changes : [];
    return this.#hearing.all().flatMap(ofDialog);
  }
}
