// One connection: a login at the platform.

import { ProblemError } from '../errors.js';
import { path } from '../http/address.js';
import { Conversation } from './conversation.js';

/** @typedef {import('../types.js').Schemas} Schemas */
/** @typedef {import('../http/transport.js').CallOptions} CallOptions */
/** @typedef {import('../http/transport.js').ActOptions} ActOptions */

/** One connection. Nothing is requested until a method is called. */
export class Connection {
  #transport;

  /**
   * @param {import('../http/transport.js').Transport} transport
   * @param {string} id
   */
  constructor(transport, id) {
    this.#transport = transport;
    /** The connection's id. */
    this.id = id;
  }

  /**
   * Reads its state and its members.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Schemas['Connection']>}
   */
  async get(options) {
    return this.#transport.json({ ...options, method: 'GET', path: this.#path('') });
  }

  /**
   * Ends the connection and removes it.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<void>}
   */
  async remove(options) {
    return this.#transport.json({ ...options, method: 'DELETE', path: this.#path(''), mayBeGone: true });
  }

  /**
   * A conversation, in which this connection acts.
   *
   * @param {string} id
   */
  conversation(id) {
    return new Conversation(this.#transport, id, { connection: this.id });
  }

  /**
   * Opens a conversation, as a consumer.
   *
   * @param {Schemas['NewConversation']} [conversation]
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['OpenedConversation']>}
   */
  async createConversation(conversation = {}, options = undefined) {
    return this.#act('/conversations', conversation, options);
  }

  /**
   * Sets the agent's state.
   *
   * @param {string} agentState `ONLINE`, `OCCUPIED`, `BACK_SOON`, `AWAY` or `OFFLINE`
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['AgentAvailability']>}
   */
  async agentState(agentState, options) {
    return this.#transport.json({ ...options, method: 'PUT', path: this.#path('/agent-state'), json: { agentState } });
  }

  /**
   * Sends any request of the platform's protocol.
   *
   * @param {Schemas['PlatformRequest']} request
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['Json']>} the body of the platform's answer
   */
  async request(request, options) {
    return this.#act('/requests', request, options);
  }

  /**
   * Makes an anonymous consumer known.
   *
   * @param {Schemas['StepUp']} proof
   * @param {ActOptions} [options]
   * @returns {Promise<Schemas['SteppedUp']>}
   */
  async stepUp(proof, options) {
    return this.#act('/step-up', proof, options);
  }

  /**
   * Starts the connection again, also if it has failed.
   *
   * @param {ActOptions} [options]
   * @returns {Promise<void>}
   */
  async restart(options) {
    return this.#transport.json({ ...options, method: 'POST', path: this.#path('/restart') });
  }

  /**
   * Moves the connection to another node.
   *
   * @param {string} node
   * @param {ActOptions} [options]
   * @returns {Promise<void>}
   */
  async move(node, options) {
    return this.#act('/move', { node }, options);
  }

  /**
   * Sends a request to another service of the platform, with the login of the connection. The answer of the service is
   * returned with any status, as `fetch` does.
   *
   * @param {string} service the service's name in discovery
   * @param {string} servicePath the path at the service, with its query; a leading slash is optional
   * @param {{ method?: string, headers?: RequestInit['headers'], body?: RequestInit['body'] } & CallOptions} [options]
   * @returns {Promise<Response>}
   * @throws {ProblemError} the gateway could not forward the request
   */
  async platform(service, servicePath, { method = 'GET', ...options } = {}) {
    const [way, ...query] = servicePath.replace(/^\//, '').split('?');
    const forwarded = this.#path(path`/platform/${service}/`) + way + (query.length > 0 ? `?${query.join('?')}` : '');
    const request = { ...options, method, path: forwarded, key: null, repeatable: ['GET', 'HEAD'].includes(method) };
    return this.#transport.attempts(request, async (attempt) => {
      const response = await this.#transport.raw(attempt);
      if (response.ok || !isProblem(response)) return response;
      throw await this.#transport.problem(response);
    });
  }

  /**
   * Gives the gateway a webhook of the platform. The platform itself sends it there as a rule.
   *
   * @param {string | object} body the body, as signed
   * @param {{ signature?: string } & CallOptions} [options] the header `x-liveperson-signature`
   * @returns {Promise<void>}
   */
  async intake(body, { signature, ...options } = {}) {
    /** @type {Record<string, string>} */
    const headers = { 'content-type': 'application/json' };
    if (signature !== undefined) headers['x-liveperson-signature'] = signature;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const request = { ...options, method: 'POST', path: path`/v1/intake/${this.id}`, headers, body: text, key: null };
    return this.#transport.json(request);
  }

  /** @param {string} rest */
  #path(rest) {
    return path`/v1/connections/${this.id}` + rest;
  }

  /**
   * @param {string} rest
   * @param {object} json
   * @param {ActOptions} [options]
   */
  async #act(rest, json, options) {
    return this.#transport.json({ ...options, method: 'POST', path: this.#path(rest), json });
  }
}

/**
 * Whether an unsuccessful answer is the gateway's own. Pages in a browser may not see the header that marks the answers
 * of services, so the content type decides there.
 *
 * @param {Response} response
 */
function isProblem({ headers }) {
  return (
    !headers.has('x-platform-service') && (headers.get('content-type') ?? '').startsWith('application/problem+json')
  );
}
