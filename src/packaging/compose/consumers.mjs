// Lets ten consumers say three things each, and waits until the bot has answered all of them.

const control = 'http://127.0.0.1:8444';

async function ask(path, body) {
  const response = await fetch(control + path, {
    method: body ? 'POST' : 'GET',
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(5_000),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const spec = { conversations: 10, messages: 3, rate: 10 };
const { id } = await ask('/traffic', spec);
const deadline = Date.now() + 60_000;
for (;;) {
  const { sent, answered } = await ask(`/traffic/${id}`);
  if (answered >= spec.conversations * spec.messages) {
    console.log(`consumers sent ${sent} messages, and the bot answered ${answered}`);
    break;
  }
  if (Date.now() > deadline) throw new Error(`after a minute the bot had answered ${answered} of ${sent} messages`);
  await new Promise((resolve) => setTimeout(resolve, 200));
}
