// A complete bot. It answers each message of a consumer exactly once, even if the bot or the service is killed.
// node bot.js http://127.0.0.1:8080 bots-1 cursor.txt
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

const [gateway, connection, file] = process.argv.slice(2);
const known = new Map();
let cursor = existsSync(file) ? readFileSync(file, 'utf8') : 'earliest';

async function call(path, options) {
  const response = await fetch(`${gateway}/v1/${path}`, options);
  if (response.status === 429 || response.status >= 500) throw new Error(`${path}: ${await response.text()}`);
  if (!response.ok) console.error(path, await response.text());
  return response;
}

async function handle({ id, type, subject, data }, me) {
  if (type === 'tertulia.conversation') known.set(subject, data);
  if (type !== 'tertulia.message' || data.originatorId === me || data.role !== 'CONSUMER') return;
  const { skillId } = known.get(subject) ?? (await (await call(`conversations/${subject}`)).json());
  const headers = { 'content-type': 'application/json', 'idempotency-key': id };
  const body = JSON.stringify({ text: `Skill ${skillId} heard: ${data.body}` });
  await call(`conversations/${subject}/messages`, { method: 'POST', headers, body });
}

for (;;) try {
  const { userId } = await (await call(`connections/${connection}`)).json();
  const events = await call(`events?connection=${connection}&after=${cursor}`);
  let begun = '';
  for await (const text of events.body.pipeThrough(new TextDecoderStream())) {
    const lines = (begun + text).split('\n');
    begun = lines.pop();
    for (const line of lines.filter((line) => line.startsWith('data:'))) {
      const event = JSON.parse(line.slice('data:'.length));
      await handle(event, userId);
      writeFileSync(`${file}.new`, cursor = event.id);
      renameSync(`${file}.new`, file);
    }
  }
} catch (error) {
  console.error(error.message);
  await new Promise((resolve) => setTimeout(resolve, 500));
}
