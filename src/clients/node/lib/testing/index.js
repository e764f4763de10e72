// The entry `tertulia/testing`: a stand-in of the platform and the service itself, for tests without an account.

import { startPlatform } from './platform.js';
import { startService } from './service.js';

export { Platform, startPlatform } from './platform.js';
export { HOW_TO_GET, findProgram } from './program.js';
export { Service, startService } from './service.js';

/**
 * Starts a stand-in of the platform, and a service that is connected to it.
 *
 * @param {import('./platform.js').PlatformOptions & Omit<import('./service.js').ServiceOptions, 'platform'>} [options]
 */
export async function startTertulia(options = {}) {
  const { after, ...others } = options;
  const platform = await startPlatform(others);
  /** @type {import('./service.js').Service | undefined} */
  let service;
  const stop = async () => {
    await service?.stop();
    await platform.stop();
  };
  try {
    service = await startService({ ...others, platform });
    after?.(stop);
    return { platform, service, tertulia: service.tertulia, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
