// A bot that answers in other words after each start, as a model does, and kills itself after LIVES_FOR answers: after
// an answer is sent and before its position is saved.

import { connect } from 'tertulia';
import { fileCursor } from 'tertulia/node';

const { CURSOR, LIVES_FOR } = process.env;
let left = Number(LIVES_FOR);

await connect().bot(
  async (event) => {
    if (event.data.role !== 'CONSUMER') return;
    await event.reply(`${event.data.body}, says ${process.pid}`);
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  },
  { connection: 'bots', type: 'message', cursor: fileCursor(CURSOR), after: 'earliest' },
);
