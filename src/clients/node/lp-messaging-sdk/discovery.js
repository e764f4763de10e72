// The names of the platform's services, for `connection.platform`. Their domains are known to the gateway.

import { unsupported } from './errors.js';

const NAMES = /** @type {const} */ ([
  'accountConfigReadOnly',
  'accountConfigReadWrite',
  'accountCreation',
  'acCdnDomain',
  'act',
  'adminArea',
  'agent',
  'agentVep',
  'appKeyManagement',
  'asyncMessaging',
  'asyncMessagingEnt',
  'batchelor',
  'coApp',
  'coBrowse',
  'connectionPanel',
  'conversationVep',
  'cqmMsg',
  'engHistDomain',
  'etool',
  'faasGW',
  'faasUI',
  'facadeMsg',
  'idp',
  'intentAnalyzer',
  'keyService',
  'leadGenerator',
  'leBackofficeInt',
  'leBilling',
  'leBiMstr',
  'leCdnDomain',
  'leDataReporting',
  'leIntegration',
  'leRBMstr',
  'liveEngage',
  'liveEngageUI',
  'liveEngageVep',
  'loggos',
  'lpEng',
  'mcs',
  'mobileChat',
  'mobileVisit',
  'msdkgw',
  'msgEwtAPI',
  'msgHist',
  'mTag',
  'nlp',
  'openPlatform',
  'predictiveDialer',
  'provisionGW',
  'pusher',
  'pusherInt',
  'redirect',
  'routingBot',
  'routingMsg',
  'rtbf',
  'rtDashboard',
  'sentinel',
  'smt',
  'staticContent',
  'swift',
  'tokenizer',
  'visitManager',
  'visitorFeed',
]);

/** Service discovery. Its names can be used; a look-up throws. */
export const CSDS = Object.freeze({
  ServiceName: /** @type {{ readonly [Name in typeof NAMES[number]]: Name }} */ (
    Object.freeze(Object.fromEntries(NAMES.map((name) => [name, name])))
  ),

  /**
   * @param {string} _accountId
   * @param {string} [service]
   * @returns {Promise<string>}
   */
  async lookup(_accountId, service = 'a service') {
    throw unsupported(
      `to look up the domain of ${service}`,
      'send the request with connection.platform(service, path)',
    );
  },
});
