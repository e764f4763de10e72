// Which connection of the gateway a bot uses: one of its configuration, or one that is added for the bot.

import { createHash, randomUUID } from 'node:crypto';
import { ProblemError } from '../lib/errors.js';
import { currentProxy, forGateway } from './client_properties.js';
import { ConversationState, UserType } from './enums.js';
import { unsupported } from './errors.js';

/** @typedef {import('./connection.js').ConnectionOptions} ConnectionOptions */
/** @typedef {{ id: string, isAdded: boolean }} Attached */

/** How the ids of added connections begin. */
const PREFIX = 'lp-messaging-sdk.';

/**
 * Finds the connection of the gateway that has the bot's login, or adds one.
 *
 * @param {import('../lib/tertulia.js').Tertulia} tertulia
 * @param {ConnectionOptions} options
 * @returns {Promise<Attached>}
 */
export async function attach(tertulia, options) {
  const definition = definitionOf(options);
  const known = await tertulia.connections().all();
  const same = known.find(({ id }) => id === definition.id);
  const isNamed = nameOf(options) !== undefined;
  if (same?.state === 'failed' && !isNamed) await tertulia.connection(definition.id).remove();
  else if (same !== undefined) return { id: checked(same, definition).id, isAdded: !isNamed };
  if (definition.role === 'brand' && !isNamed) {
    const candidates = known.filter(({ role, account }) => role === 'brand' && account === options.accountId);
    const found = candidates.find((candidate) => hasLogin(candidate, options));
    if (found !== undefined) return { id: found.id, isAdded: false };
  }
  await add(tertulia, definition);
  return { id: definition.id, isAdded: true };
}

/**
 * Adds the connection of a bot again, after the gateway has lost it.
 *
 * @param {import('../lib/tertulia.js').Tertulia} tertulia
 * @param {ConnectionOptions} options
 * @param {string} id
 */
export async function attachAgain(tertulia, options, id) {
  await add(tertulia, { ...definitionOf(options), id });
}

/**
 * @param {import('../lib/tertulia.js').Tertulia} tertulia
 * @param {any} definition
 */
async function add(tertulia, definition) {
  try {
    await tertulia.addConnection(definition);
  } catch (error) {
    // Another process of the bot has added the connection meanwhile.
    if (!(error instanceof ProblemError) || error.code !== 'connection-exists') throw error;
  }
}

/**
 * The connection that the bot names. The environment names the one of a brand's bot.
 *
 * @param {ConnectionOptions} options
 */
function nameOf({ connection, userType }) {
  return connection ?? (userType === UserType.BRAND ? process.env.TERTULIA_CONNECTION : undefined);
}

/**
 * @param {{ id: string, role: string, account: string }} known
 * @param {{ role: string, account: string }} wanted
 */
function checked(known, { role, account }) {
  if (known.role === role && known.account === account) return known;
  throw new Error(
    `connection ${known.id} is a ${known.role} of account ${known.account}, not a ${role} of account ${account}`,
  );
}

/**
 * Whether a connection has the login of a bot.
 *
 * @param {{ username?: string | null, agentId?: string | null }} candidate
 * @param {ConnectionOptions} options
 */
function hasLogin({ username, agentId }, { authData, authAgentSessionData, agentId: wanted }) {
  const ids = [wanted, authAgentSessionData?.userId].filter((each) => each !== undefined);
  if (ids.length === 0) return authData?.username !== undefined && authData.username === username;
  if (!agentId) return false;
  const number = agentId.slice(agentId.indexOf('.') + 1);
  return ids.some((each) => each === agentId || each === number);
}

/**
 * The gateway's definition of a connection.
 *
 * @param {ConnectionOptions} options
 */
export function definitionOf(options) {
  const { accountId, userType, appId, appVersion, clientProperties } = options;
  const isBrand = userType === UserType.BRAND;
  const login = isBrand ? brandLogin(options) : consumerLogin(options);
  const properties = forGateway({
    ...clientProperties,
    appId: appId ?? clientProperties?.appId,
    appVersion: appVersion ?? clientProperties?.appVersion,
  });
  return {
    id: nameOf(options) ?? idOf(options),
    account: accountId,
    role: isBrand ? 'brand' : 'consumer',
    subscribe: { stage: stagesOf(options), ...(isBrand ? { agents: agentsOf(options) } : {}) },
    ...(isBrand ? { rings: 'manual' } : {}),
    ...(login === undefined ? {} : { login }),
    ...(properties === undefined ? {} : { client_properties: properties }),
    ...(currentProxy() === undefined ? {} : { proxy: currentProxy() }),
  };
}

/**
 * The stages that a connection sees if it is added.
 *
 * @param {ConnectionOptions} options
 * @returns {string[]}
 */
export function stagesOf({ userType, defaultSubscriptionQuery }) {
  const { OPEN, CLOSE } = ConversationState;
  const stage = defaultSubscriptionQuery?.stage ?? (userType === UserType.BRAND ? [OPEN] : [OPEN, CLOSE]);
  return [stage].flat();
}

/** @param {ConnectionOptions} options */
function agentsOf({ defaultSubscriptionQuery }) {
  const agents = [defaultSubscriptionQuery?.agentId ?? []].flat();
  return agents.length === 0 ? 'all' : agents;
}

/** @param {ConnectionOptions} options */
function brandLogin({ authData, authAgentSessionData }) {
  if (authAgentSessionData) {
    const { token, csrf, sessionId, userId } = authAgentSessionData;
    if (!userId) throw new Error('authAgentSessionData needs the userId of the agent');
    return csrf && sessionId
      ? { bearer: token, user_id: userId, csrf, session_id: sessionId }
      : { bearer: token, user_id: userId };
  }
  if (authData?.assertion) return { assertion: authData.assertion };
  if (authData?.appKey) {
    const { username, appKey, secret, accessToken, accessTokenSecret } = authData;
    return { username, app_key: appKey, secret, access_token: accessToken, access_token_secret: accessTokenSecret };
  }
  if (authData?.password === undefined)
    throw new Error('authData needs a username with a password or with keys, or an assertion');
  return { username: authData.username, password: authData.password };
}

/** @param {ConnectionOptions} options */
function consumerLogin({ authData, token, unauthConnectorId, authConnectorId, jwtClaimsSet }) {
  if (authData?.useMockAuth) throw unsupported('mock authentication', 'leave authData out for an anonymous consumer');
  if (token) return { jwt: token };
  if (jwtClaimsSet && typeof jwtClaimsSet !== 'string') {
    throw unsupported('a set of claims', 'sign the claims, and give the JWT as authData.assertion');
  }
  const assertion = authData?.assertion ?? jwtClaimsSet;
  if (assertion) return authConnectorId ? { assertion, connector: authConnectorId } : { assertion };
  return unauthConnectorId ? { connector: unauthConnectorId } : undefined;
}

/**
 * The id of a connection that is added: always the same for a brand's login, and a new one for each consumer.
 *
 * @param {ConnectionOptions} options
 */
function idOf({ accountId, userType, authData, authAgentSessionData }) {
  if (userType === UserType.CONSUMER) return `${PREFIX}consumer.${randomUUID()}`;
  const user = authData?.username ?? authAgentSessionData?.userId ?? digest(authData);
  const id = `${PREFIX}${accountId}.${user}`;
  return /^[A-Za-z0-9._~-]{1,64}$/.test(id) ? id : PREFIX + digest([accountId, user]);
}

/** @param {unknown} value */
function digest(value) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}
