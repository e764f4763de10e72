import { connect } from 'tertulia';
import { fileCursor } from 'tertulia/node';

const { MODEL_URL, MODEL_NAME, MODEL_KEY = '', SKILL_OF_PEOPLE } = process.env;
const INSTRUCTIONS = 'You answer the customers of a shop, in at most three sentences.';

/** Returns the model's next message. `MODEL_URL` is an endpoint with `/chat/completions`. */
async function ask(messages, signal) {
  const response = await fetch(`${MODEL_URL}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${MODEL_KEY}` },
    body: JSON.stringify({ model: MODEL_NAME, messages: [{ role: 'system', content: INSTRUCTIONS }, ...messages] }),
    signal,
  });
  if (!response.ok) throw new Error(`the model answered with status ${response.status}`);
  const { choices } = await response.json();
  return choices[0].message.content;
}

async function answer(event, { signal }) {
  if (event.data.role !== 'CONSUMER') return;
  await event.conversation.chatState('COMPOSING');
  const history = await event.conversation.messages({ sequenceMax: event.data.sequence });
  const texts = history.filter(({ body }) => typeof body === 'string');
  const role = (message) => (message.role === 'CONSUMER' ? 'user' : 'assistant');
  const said = texts.map((message) => ({ role: role(message), content: message.body }));
  await event.reply(await ask(said, signal));
}

await connect().bot(answer, {
  connection: 'bots-1',
  type: 'message',
  cursor: fileCursor('model.cursor'),
  attempts: 3,
  // If there is no answer, people take over.
  failed: async (_, event) => void (await event.conversation.transfer({ skillId: SKILL_OF_PEOPLE })),
});
