// A bot on the package for Node, for `tertulia-bench chaos --bot 'node bench/bots/node.mjs'`.

import { connect } from '../../src/clients/node/lib/index.js';
import { fileCursor } from '../../src/clients/node/lib/node.js';

const answer = async (event) => {
  if (event.data.role === 'CONSUMER') await event.reply(`You said: ${event.data.body}`);
};
await connect().bot(answer, { type: 'message', cursor: fileCursor(process.env.TERTULIA_CURSOR), after: 'earliest' });
