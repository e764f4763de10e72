// Uses of the package that must compile in strict mode. It is only compiled.

import { connect, memoryCursor, ProblemError, TertuliaError, UnreachableError, TimeoutError } from 'tertulia';
import type {
  Connection,
  Conversation,
  Cursor,
  Event,
  EventOf,
  EventType,
  ProblemCode,
  Schemas,
  Tertulia,
} from 'tertulia';

const tertulia: Tertulia = connect({ url: 'http://127.0.0.1:8080', token: async () => 'secret', timeout: 1_000 });

export async function echo(signal: AbortSignal): Promise<void> {
  for await (const event of tertulia.events({ connection: 'bots', type: 'message', cursor: memoryCursor(), signal })) {
    if (event.type === 'tertulia.gap') {
      const missed: number | null | undefined = 'missed' in event.data ? event.data.missed : event.data.from;
      console.log(missed);
      continue;
    }
    const body: string | Schemas['JsonObject'] = event.data.body;
    if (event.data.role === 'CONSUMER' && typeof body === 'string') {
      const { key, sequence, repeated } = await event.reply(body);
      const all: [string, number | null | undefined, true | undefined] = [key, sequence, repeated];
      console.log(all);
    }
  }
}

export const bot = (): Promise<void> =>
  tertulia.bot(
    async (event, { signal, attempt }) => {
      // @ts-expect-error: a gap has no body
      event.data.body;
      if (event.type !== 'tertulia.message') return;
      await event.conversation.send(
        { text: `${event.data.sequence} ${attempt}`, quickReplies: {} },
        { signal, timeout: 5 },
      );
      await event.conversation.close({ survey: false });
    },
    { type: ['message', 'tertulia.close'], atOnce: 4, failed: (error, event) => console.error(error, event.id) },
  );

export function handle(event: Event): string | undefined {
  switch (event.type) {
    case 'tertulia.transfer-skill':
      return event.data.skillId ?? undefined;
    case 'tertulia.connection.waiting':
      return event.data.reason;
    default:
      return undefined;
  }
}

export async function commands(): Promise<void> {
  const conversation = tertulia.connection('bots').conversation('id');
  const { sequence } = await conversation.send('hello', { key: 'mine' });
  await conversation.note('a note');
  await conversation.ttr({ ttrType: 'CUSTOM', value: 60 });
  await conversation.csat({ csatRate: 4 });
  await conversation.transfer({ skillId: '501' });
  await conversation.read([sequence ?? 0]);
  const stage: string | null | undefined = (await conversation.get()).stage;
  const bodies: (string | Schemas['JsonObject'])[] = (await conversation.messages({ maxQuantity: 5 })).map(
    ({ body }) => body,
  );
  console.log(stage, bodies);
  // @ts-expect-error: a message has no such member
  await conversation.send({ txt: 'hello' });
  // @ts-expect-error: the key must be a string
  await conversation.send('hello', { key: 1 });
  // @ts-expect-error: there is no such type of events
  tertulia.events({ type: 'mesage' });
  // @ts-expect-error: the connection must be named
  await tertulia.loadConversation(await conversation.snapshot(), {});
}

export async function lists(): Promise<string[]> {
  const ids: string[] = [];
  for await (const { conversationId } of tertulia.conversations({ stage: 'OPEN' })) ids.push(conversationId);
  for await (const { incomplete } of tertulia.connections().pages({ limit: 10 })) ids.push(...(incomplete ?? []));
  const { matched } = await tertulia.startBulkJob({ operation: 'close', filter: { all: true }, dryRun: true });
  const job = await tertulia.startBulkJob({ operation: 'close', filter: { all: true } });
  for await (const event of tertulia.log({ type: 'close' })) ids.push(event.id);
  return [...ids, job.id, String(matched)];
}

export function explain(error: unknown): string {
  if (error instanceof ProblemError) {
    const known: ProblemCode = 'no-open-dialog';
    return error.code === known ? error.detail : `${error.status} ${error.platformCode} ${error.platformText}`;
  }
  if (error instanceof UnreachableError || error instanceof TimeoutError) return String(error.cause);
  return error instanceof TertuliaError ? error.code : 'another error';
}

export const own: Cursor = { load: async () => null, save: async (position: string) => void position };
export const types: EventType[] = ['message', 'tertulia.message'];
export type Message = EventOf<'message'>;
export const one: Connection = tertulia.connection('bots');
export const other: Conversation = one.conversation('id');
