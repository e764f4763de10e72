// Bots and consumers on one service and one stand-in, which all tests of a file share.

import { once } from 'node:events';
import lpm from '../../lp-messaging-sdk/index.js';
import { startTertulia } from '../../lib/testing/index.js';

/** How long anything may take, in milliseconds. */
export const DEADLINE = 15_000;

/** Waits until `check` returns something true. */
export async function until(check) {
  const end = Date.now() + DEADLINE;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not so within ${DEADLINE} ms: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The payload of the next event. */
export async function next(emitter, name) {
  const [payload] = await once(emitter, name, { signal: AbortSignal.timeout(DEADLINE) });
  return payload;
}

/** Everything that is emitted under some names, in order, as `[name, payload]`. */
export function recorded(emitter, names) {
  const events = [];
  for (const name of names) emitter.on(name, (...payload) => events.push([name, ...payload]));
  return events;
}

/** A service with the manager `bot1`, who sees every conversation, and many other agents. */
export class Stage {
  #stop;
  #open = [];

  static async set(options = {}) {
    const settings = {
      agents: 30,
      survey: true,
      options: ['--admins', '2'],
      connections: [
        {
          id: 'bots',
          login: { username: 'bot1' },
          subscribe: { stage: ['OPEN', 'CLOSE'], agents: 'all' },
          rings: 'manual',
        },
      ],
      ...options,
    };
    const { platform, service, tertulia, stop } = await startTertulia(settings);
    const stage = new Stage();
    Object.assign(stage, { platform, service, tertulia, account: platform.account });
    stage.#stop = stop;
    return stage;
  }

  /** Ends everything. */
  async strike() {
    await Promise.all(this.#open.map((connection) => connection.close().catch(() => {})));
    await this.#stop();
  }

  /** The options of a connection to this gateway. */
  options(more) {
    return { accountId: this.account, gatewayUrl: this.service.url, responseTimeout: DEADLINE, ...more };
  }

  /** A connection that is not open yet; it is closed at the end. `errors` has its errors. */
  make(more) {
    const connection = lpm.createConnection(this.options(more));
    connection.errors = [];
    connection.on('error', (error) => connection.errors.push(error));
    this.#open.push(connection);
    return connection;
  }

  async brand(login, more = {}) {
    const connection = this.make({
      userType: lpm.UserType.BRAND,
      authData: { username: login, password: 'secret' },
      ...more,
    });
    await connection.open();
    return connection;
  }

  async consumer(more = {}) {
    const connection = this.make({ userType: lpm.UserType.CONSUMER, ...more });
    await connection.open();
    return connection;
  }

  /** A conversation as a consumer and as a brand's connection see it. */
  async conversation(brand, options = {}) {
    const connection = await this.consumer();
    const consumers = await connection.createConversation(options);
    const brands = await this.seen(brand, consumers.conversationId);
    await until(() => consumers._hasState);
    return { consumers, brands, consumer: connection };
  }

  /** A conversation that a connection sees. */
  async seen(connection, id) {
    return until(() => connection.getConversationById(id));
  }
}
