// A bot for a webhook with "replies": true that answers every message of a consumer. SECRET is the webhook's secret.
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';

const key = Buffer.from(process.env.SECRET.slice('whsec_'.length), 'base64');
const server = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray()).toString();
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signatures = '' } = request.headers;
  const signature = createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64');
  if (!signatures.split(' ').includes(`v1,${signature}`)) return response.writeHead(401).end();
  const { data } = JSON.parse(body);
  if (data.role !== 'CONSUMER') return response.writeHead(204).end();
  response.end(JSON.stringify({ messages: [{ text: `You said: ${data.body}` }] }));
});
server.listen(process.env.PORT, () => console.log(server.address().port));
