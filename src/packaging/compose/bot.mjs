// Answers each message of a consumer once, also after a restart: from the first event on, by keys of the events.

import { connect } from 'tertulia';

const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());

await connect().bot(
  async (event) => {
    if (event.data.role === 'CONSUMER') await event.reply('I heard you');
  },
  { type: 'message', after: 'earliest', signal: stopping.signal },
);
