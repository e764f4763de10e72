import { connect } from 'tertulia';
import { fileCursor } from 'tertulia/node';

const answer = async (event) => {
  if (event.data.role === 'CONSUMER') await event.reply(`You said: ${event.data.body}`);
};
await connect().bot(answer, { connection: 'bots-1', type: 'message', cursor: fileCursor('echo.cursor') });
