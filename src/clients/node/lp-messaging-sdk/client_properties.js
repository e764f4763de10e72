// What a connection says about the device of its user.

import { unsupported } from './errors.js';

/** The names that the gateway has for them. */
const NAMES = {
  appId: 'app_id',
  appVersion: 'app_version',
  browser: 'browser',
  browserVersion: 'browser_version',
  deviceFamily: 'device_family',
  deviceManufacture: 'device_manufacture',
  deviceManufacturer: 'device_manufacture',
  deviceModel: 'device_model',
  features: 'features',
  integration: 'integration',
  integrationVersion: 'integration_version',
  ipAddress: 'ip_address',
  os: 'os',
  osName: 'os_name',
  osVersion: 'os_version',
  timeZone: 'time_zone',
};

/**
 * Describes the client of a consumer. Members that are not given are null.
 *
 * @param {Partial<Record<Exclude<keyof typeof NAMES, 'features'>, string | null>> & { features?: string[] | null }} [given]
 */
export function createClientProperties(given = {}) {
  const empty = Object.fromEntries(Object.keys(NAMES).map((name) => [name, null]));
  delete empty.deviceManufacture;
  return { ...empty, ...given };
}

/**
 * @param {Record<string, any>} properties
 * @returns {Record<string, any> | undefined} undefined if there are none
 */
export function forGateway(properties) {
  const given = Object.entries(properties).filter(
    ([name, value]) => name in NAMES && value !== null && value !== undefined,
  );
  if (given.length === 0) return undefined;
  return Object.fromEntries(given.map(([name, value]) => [/** @type {any} */ (NAMES)[name], value]));
}

/** The proxy of the connections that are added from now on. @type {Record<string, any> | undefined} */
let proxy;

/**
 * Sets the proxy through which the gateway reaches the platform with connections that are added from now on. The gateway's
 * configuration must allow the proxy. Connections of the gateway's own configuration keep theirs.
 *
 * @param {{ host: string, port: number, protocol?: string, path?: string, auth?: { username: string, password: string } }} settings
 */
export function configureProxy({ host, port, protocol = 'http', path, auth }) {
  if (path) throw unsupported('a proxy with a path', 'name the host and the port of an HTTP proxy');
  if (!protocol.startsWith('http')) throw new TypeError(`${protocol} is not a protocol of HTTP proxies`);
  proxy = { host, port, ...auth };
}

export function resetProxy() {
  proxy = undefined;
}

export function currentProxy() {
  return proxy;
}
