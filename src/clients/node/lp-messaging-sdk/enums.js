// The enums of lp-messaging-sdk. The platform may send values that are not listed here; they are passed on as they are.

/** @template {Record<string, string>} T @param {T} values */
const fixed = (values) => Object.freeze(values);

export const UserType = fixed({ BRAND: 'brand', CONSUMER: 'consumer' });

export const ConnectionType = fixed({ WEBSOCKET: 'ws', REST: 'rest', SEND_API: 'sendapi', NULL: 'null' });

export const ConnectionState = fixed({
  INITIAL: 'initial',
  CONNECTING: 'connecting',
  CONNECTED: 'connected',
  FAILED_TO_CONNECT: 'failed_to_connect',
  DISCONNECTED: 'disconnected',
  CLOSING: 'closing',
  CLOSED: 'closed',
  NULL: 'null',
});

/** `CLOSING` is only on this side: a close was requested. */
export const ConversationState = fixed({ OPEN: 'OPEN', CLOSE: 'CLOSE', LOCKED: 'LOCKED', CLOSING: 'CLOSING' });

export const DialogState = fixed({ OPEN: 'OPEN', CLOSE: 'CLOSE' });

export const DialogType = fixed({
  MAIN: 'MAIN',
  AGENTS: 'AGENTS',
  OTHER: 'OTHER',
  POST_SURVEY: 'POST_SURVEY',
  PRE_CONVERSATION_OPT_IN: 'PRE_CONVERSATION_OPT_IN',
});

export const ChannelType = fixed({ MESSAGING: 'MESSAGING', LIVE_CHAT: 'LIVE_CHAT', COBROWSE: 'COBROWSE' });

export const DialogCloseReason = fixed({ CONSUMER: 'CONSUMER', AGENT: 'AGENT', SYSTEM: 'SYSTEM' });

export const CloseReason = DialogCloseReason;

export const DialogChangeType = fixed({ CREATE: 'CREATE', UPDATE: 'UPDATE' });

export const ParticipantRole = fixed({
  CONSUMER: 'CONSUMER',
  ASSIGNED_AGENT: 'ASSIGNED_AGENT',
  AGENT: 'AGENT',
  MANAGER: 'MANAGER',
  READER: 'READER',
  BRAND_BOT: 'BRAND_BOT',
  CONTROLLER: 'CONTROLLER',
});

export const ParticipantState = fixed({ ACTIVE: 'ACTIVE', SUGGESTED: 'SUGGESTED', REMOVED: 'REMOVED' });

/** `REMOVED` is only on this side: the participant has left. */
export const ParticipantChatState = fixed({
  ACTIVE: 'ACTIVE',
  INACTIVE: 'INACTIVE',
  GONE: 'GONE',
  COMPOSING: 'COMPOSING',
  PAUSE: 'PAUSE',
  BACKGROUND: 'BACKGROUND',
  REMOVED: 'REMOVED',
});

export const ParticipantChangeType = fixed({ ADD: 'ADD', REMOVE: 'REMOVE', SUGGEST: 'SUGGEST' });

export const TTRType = fixed({ NORMAL: 'NORMAL', URGENT: 'URGENT', PRIORITIZED: 'PRIORITIZED', CUSTOM: 'CUSTOM' });

export const CsatStatus = fixed({
  FILLED: 'FILLED',
  PARTIALLY_FILLED: 'PARTIALLY_FILLED',
  SKIPPED: 'SKIPPED',
  EMPTY: 'EMPTY',
});

export const DeliveryStatus = fixed({
  ACCEPT: 'ACCEPT',
  READ: 'READ',
  ENRICH: 'ENRICH',
  ACTION: 'ACTION',
  ACCESS: 'ACCESS',
  NACK: 'NACK',
  VIEWED: 'VIEWED',
  ABORTED: 'ABORTED',
  ERROR: 'ERROR',
});

/** `UNKNOWN` is only on this side: the platform did not say who sees the message. */
export const MessageAudience = fixed({
  ALL: 'ALL',
  AGENTS_AND_MANAGERS: 'AGENTS_AND_MANAGERS',
  UNKNOWN: 'UNKNOWN',
});

export const ContentType = fixed({
  PLAIN_TEXT: 'text/plain',
  HOSTED_FILE: 'hosted/file',
  RICH_TEXT: 'RichContentEvent',
});

export const AgentState = fixed({
  ONLINE: 'ONLINE',
  OCCUPIED: 'OCCUPIED',
  OFFLINE: 'OFFLINE',
  AWAY: 'AWAY',
  BACK_SOON: 'BACK_SOON',
});

export const RingState = fixed({
  WAITING: 'WAITING',
  CANCELLED: 'CANCELLED',
  EXPIRED: 'EXPIRED',
  ACCEPTED: 'ACCEPTED',
  REJECTED: 'REJECTED',
});

export const SubscriptionState = fixed({
  INITIAL: 'initial',
  SUBSCRIBED: 'subscribed',
  UNSUBSCRIBING: 'unsubscribing',
  UNSUBSCRIBED: 'unsubscribed',
  DISCONNECTED: 'disconnected',
  RESUBSCRIBING: 'subscribing',
  FAILED_TO_SUBSCRIBE: 'failed_to_subscribe',
});

export const ConversationContextType = fixed({
  SHARK: 'SharkContext',
  FACEBOOK: 'FacebookContext',
  CUSTOM: 'CustomContext',
  MOBILE_APP: 'MobileAppContext',
  SMS: 'SMSContext',
  PROACTIVE: 'ProactiveContext',
  VOICE: 'VoiceContext',
});

export const DeviceFamily = fixed({
  DESKTOP: 'DESKTOP',
  TABLET: 'TABLET',
  MOBILE: 'MOBILE',
  PDA: 'PDA',
  OTHER: 'OTHER',
  UNKNOWN: 'UNKNOWN',
});

export const OS = fixed({
  WINDOWS: 'WINDOWS',
  LINUX: 'LINUX',
  OSX: 'OSX',
  ANDROID: 'ANDROID',
  IOS: 'IOS',
  OTHER: 'OTHER',
});

export const Features = fixed({
  CO_BROWSE: 'CO_BROWSE',
  CO_APP: 'CO_APP',
  PHOTO_SHARING: 'PHOTO_SHARING',
  FILE_SHARING: 'FILE_SHARING',
  SECURE_FORMS: 'SECURE_FORMS',
  AUTO_MESSAGES: 'AUTO_MESSAGES',
  RICH_CONTENT: 'RICH_CONTENT',
  QUICK_REPLIES: 'QUICK_REPLIES',
  MULTI_DIALOG: 'MULTI_DIALOG',
  MARKDOWN_HYPERLINKS: 'MARKDOWN_HYPERLINKS',
});

export const Integration = fixed({ WEB_SDK: 'WEB_SDK', MOBILE_SDK: 'MOBILE_SDK', BRAND_SDK: 'BRAND_SDK' });
