// Uses of the interface of lp-messaging-sdk that must compile in strict mode. It is only compiled.

import lpm, { createConnection, ParticipantRole, UserType } from 'tertulia/lp-messaging-sdk';
import type {
  Connection,
  ConnectionOptions,
  Conversation,
  Dialog,
  Message,
  Participant,
  Ring,
  Skill,
  SubscriptionQuery,
} from 'tertulia/lp-messaging-sdk';

const query: SubscriptionQuery = { stage: ['OPEN'], agentId: '12345678.7', lastUpdateAfter: 1 };
const options: ConnectionOptions = {
  accountId: '12345678',
  userType: UserType.BRAND,
  authData: { username: 'bot1', password: { env: 'BOT1' } },
  defaultSubscriptionQuery: query,
};
const connection: Connection = createConnection(options);

connection.on('error', (error: Error) => console.error(error));
connection.once('ring', async (ring: Ring) => ring.accept());
connection.on('conversation', async (conversation: Conversation) => {
  await conversation.join(ParticipantRole.AGENT);
  conversation.on('message', (message: Message) => answer(conversation, message));
});

async function answer(conversation: Conversation, message: Message): Promise<number> {
  const author: Participant = message.participant;
  const skill: Skill | null = conversation.skill;
  const dialog: Dialog | null = conversation.openDialog;
  const unread: number | undefined = conversation.numberOfunreadMessages?.[author.userId ?? ''];
  await dialog?.setChatState(lpm.ParticipantChatState.COMPOSING);
  const { truncated, truncatedText } = await conversation.setAgentNote({ noteContent: `${skill?.skillId} ${unread}` });
  const cut: string | null = truncated ? truncatedText : null;
  await conversation.transfer({ skillId: '501' });
  await conversation.setTTR(lpm.TTRType.CUSTOM, 60);
  const history: Message[] = await conversation.queryMessages({ sequenceMin: '0', maxQuantity: 10 });
  await conversation.uploadFile(new ArrayBuffer(1), cut ?? undefined);
  const { sequence } = await conversation.sendMessage(`${history.length}`, { type: 'x' }, { type: 'quickReplies' });
  return sequence;
}

export async function main(): Promise<void> {
  await connection.open();
  await connection.setAgentState({ agentState: lpm.AgentState.ONLINE });
  const subscription = await connection.createConversationSubscription({ query, waitForFirstNotification: true });
  const first: Conversation | undefined = [...subscription.conversations.values()][0];
  const found: Conversation | null = connection.getConversationById(first?.conversationId ?? '');
  const loaded: Conversation = connection.loadConversation(found?.serialize() ?? '{}');
  loaded.unload();
  const response: Response = await connection.platform(
    lpm.CSDS.ServiceName.accountConfigReadOnly,
    '/api/account/1/configuration/le-users/skills',
  );
  await lpm.rest.publishMessage({
    accountId: '1',
    token: await connection.getToken(),
    conversationId: 'c',
    text: await response.text(),
  });
  // @ts-expect-error: an account is needed
  createConnection({ userType: UserType.CONSUMER });
  await connection.close();
}
