// Waits for the bot, lets ten consumers say three things each, and waits until the bot has answered all of them.

const control = 'http://127.0.0.1:8444';
const { TERTULIA_URL: gateway, TERTULIA_TOKEN: token } = process.env;
const deadline = Date.now() + 60_000;

async function ask(address, options) {
  const response = await fetch(address, { ...options, signal: AbortSignal.timeout(5_000) });
  if (!response.ok) throw new Error(`${address}: ${response.status} ${await response.text()}`);
  return response.text();
}

async function until(what, holds) {
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`within a minute: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

await until('the bot follows the events', async () => {
  const metrics = await ask(`${gateway}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  return /^tertulia_event_streams [1-9]/m.test(metrics);
});

const spec = { conversations: 10, messages: 3, rate: 10 };
const { id } = JSON.parse(await ask(`${control}/traffic`, { method: 'POST', body: JSON.stringify(spec) }));
await until('the bot answers each message', async () => {
  const { sent, answered } = JSON.parse(await ask(`${control}/traffic/${id}`));
  if (answered < spec.conversations * spec.messages) return false;
  console.log(`consumers sent ${sent} messages, and the bot answered ${answered}`);
  return true;
});
