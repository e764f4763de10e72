// Uses of the entries for Node that must compile in strict mode. It is only compiled.

import { connect } from 'tertulia';
import { fileCursor } from 'tertulia/node';
import { startPlatform, startService, startTertulia, type Platform, type Service } from 'tertulia/testing';

export async function test(after: (stop: () => Promise<void>) => void): Promise<(string | null)[]> {
  const { platform, service, tertulia, stop } = await startTertulia({ agents: 2, after });
  const [own, other]: [Platform, Service] = [platform, service];
  const conversation: string = await own.open({ consumer: 'ann' });
  await own.say(conversation, 'hello');
  await own.fault({ fault: 'drop', user: 'bot1' });
  await own.fault({ mode: 'flaky', seed: 7 });
  void tertulia.bot((event) => event.reply('x'), { cursor: fileCursor('cursor') });
  await other.kill();
  await other.start();
  await stop();
  return own.answers(conversation, { count: 1 });
}

export async function parts(): Promise<void> {
  const platform = await startPlatform({ survey: true, options: ['--latency', '5ms'] });
  const service = await startService({
    platform,
    connections: [{ id: 'bots', login: { username: 'bot2' } }],
    token: 't',
  });
  connect({ url: service.url, token: 't', fetch });
  const entries: { text: string | null }[] = await platform.ledger();
  const found: number = await platform.until(() => entries.length);
  console.log(found);
}
