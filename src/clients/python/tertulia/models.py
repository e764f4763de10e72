"""The data of the gateway's interface, as typed dictionaries with the names of the OpenAPI document.

Written by `generate/write_models.py` from `/openapi.json`; a test compares both. A member that is `NotRequired` may be absent.
A value of a `Literal` type may be one that a later version of the service has added.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Literal, TypedDict, Union

if sys.version_info >= (3, 11):
    from typing import NotRequired, TypeAlias
else:
    from typing_extensions import NotRequired, TypeAlias


class AcceptedCommand(TypedDict):
    """The platform has accepted the command."""

    key: str
    """The command's key: the caller's or a generated one. The event about the command contains it."""


class AcceptedRing(TypedDict):
    """The outcome of an accepted ring."""

    connection: str
    conversationId: str


class AddedConnection(TypedDict):
    """A connection that was added."""

    id: str
    isKept: bool
    """Whether the connection exists again after a restart; false if its definition contains secrets."""


class AdditionContext(TypedDict):
    """The circumstances of a participant's joining."""

    previouslySuggested: bool
    """Whether the participant had been suggested before."""


class AgentAvailability(TypedDict):
    agentState: str
    """`ONLINE`, `OCCUPIED`, `BACK_SOON`, `AWAY` or `OFFLINE`."""


class AgentInBrief(TypedDict):
    agentId: NotRequired[str | None]
    """The id as `account.user`."""
    userId: str
    """The public id."""


class ApplicationLogin(TypedDict):
    """An installed application."""

    app_key: Credential
    secret: Credential


class AssertionLogin(TypedDict):
    """A SAML assertion of an agent, or the signed identity of a consumer."""

    assertion: Credential


class BackToQueueData(TypedDict):
    """The conversation has no assignee any more, and the skill is the same."""

    dialogId: DialogId
    """The dialog."""


class BackToQueueEvent(TypedDict):
    """The conversation has no assignee any more, and the skill is the same."""

    connection: NotRequired[str]
    """The connection."""
    data: BackToQueueData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.back-to-queue"]


class BearerLogin(TypedDict):
    """A token that another program has obtained, and its user id."""

    bearer: Credential
    user_id: Credential


class BulkArguments(TypedDict):
    """The operation's arguments: `survey` for a close; `agentId`, `skillId` or both for a transfer."""

    agentId: NotRequired[str | None]
    skillId: NotRequired[str | None]
    survey: NotRequired[bool | None]
    """Whether the survey starts if the account has one; false by default."""


class BulkDryRun(TypedDict):
    """What a job would do."""

    byConnection: dict[str, int]
    """The number of conversations that each connection would act on."""
    dryRun: bool
    items: list[BulkItem]
    """The first 100 matching conversations, by id."""
    matched: int
    unseen: int
    """Listed conversations that no connection sees."""


class BulkFilter(TypedDict):
    """Selects conversations that satisfy all given conditions. At least one condition or `all` is required."""

    agent: NotRequired[str | None]
    """The assigned agent: a public id, `account.user`, or the user alone."""
    all: NotRequired[bool]
    """Selects every open conversation; required if there is no other condition."""
    connection: NotRequired[str | None]
    """The connection that sees the conversations and acts on them. Without it, if several connections see a
    conversation, the one whose agent is assigned acts, else one whose agent participates, else the first by name."""
    conversations: NotRequired[list[str] | None]
    """Only these conversations, from 1 to 10,000 ids."""
    skill: NotRequired[str | None]
    stage: NotRequired[str | None]
    """`OPEN`, `CLOSE` or `LOCKED`. By default only open conversations, but all stages if `conversations` is given."""
    startedBefore: NotRequired[str | None]
    """Only conversations that began before this time."""
    updatedBefore: NotRequired[str | None]
    """Only conversations that have not changed since this time."""


class BulkItem(TypedDict):
    """One conversation of a job."""

    at: NotRequired[str | None]
    code: NotRequired[str | None]
    """How the operation succeeded, or why it failed, as a stable code."""
    connection: NotRequired[str | None]
    """The connection that acts; null if no connection sees the conversation."""
    conversation: str
    detail: NotRequired[str | None]
    outcome: str
    """`left`, `done`, `refused` or `unknown`."""
    platformCode: NotRequired[int | None]


class BulkItemPage(TypedDict):
    """One page of a list."""

    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their items are missing; absent if there are none."""
    items: list[BulkItem]
    nextCursor: NotRequired[str | None]
    """The cursor of the next page; null on the last page."""


class BulkJob(TypedDict):
    """A job and its progress."""

    arguments: BulkArguments
    created: str
    done: int
    """Conversations that are now in the wanted state."""
    ended: NotRequired[str | None]
    estimatedEnd: NotRequired[str | None]
    """The estimated end, if the job continues at its current rate."""
    failure: NotRequired[str | None]
    """Why the job failed, as a stable code."""
    filter: BulkFilter
    """The job's filter, without the listed conversations, which are the job's items."""
    id: str
    inFlight: int
    """Conversations of `left` that are being processed now."""
    left: int
    """Conversations that are not processed yet."""
    listed: NotRequired[int | None]
    """The number of listed conversations, if the filter has a list."""
    matched: int
    """Conversations that matched."""
    operation: BulkOperation
    rate: int
    refused: int
    """Conversations that are not in the wanted state and will not be retried."""
    started: NotRequired[str | None]
    state: str
    """`matching`, `running`, `paused`, `finished`, `cancelled` or `failed`."""
    unknown: int
    """Conversations whose state could not be determined."""


class BulkJobPage(TypedDict):
    """One page of a list."""

    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their items are missing; absent if there are none."""
    items: list[BulkJob]
    nextCursor: NotRequired[str | None]
    """The cursor of the next page; null on the last page."""


class BulkOrder(TypedDict):
    """An operation and the conversations that it applies to."""

    arguments: NotRequired[BulkArguments]
    dryRun: NotRequired[bool]
    """If true, only reports which conversations match."""
    filter: BulkFilter
    operation: BulkOperation
    rate: NotRequired[int | None]
    """Conversations started per second, from 1 to 100."""


class ChatStateChange(TypedDict):
    chatState: str
    """`COMPOSING` while somebody types, `PAUSE`, `ACTIVE`, `INACTIVE`, `GONE` or `BACKGROUND`."""
    dialog: NotRequired[str | None]
    """The dialog; the open dialog if absent."""


class ChatStateData(TypedDict):
    """A user's chat state changed, such as typing."""

    chatState: ChatState
    """The chat state."""
    dialogId: DialogId
    """The dialog."""
    userId: NotRequired[UserId | None]
    """The user."""


class ChatStateEvent(TypedDict):
    """A user's chat state changed, such as typing."""

    connection: NotRequired[str]
    """The connection."""
    data: ChatStateData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.chat-state"]


class ClientProperties(TypedDict):
    """The device that the connection reports to the platform."""

    app_id: NotRequired[str | None]
    app_version: NotRequired[str | None]
    browser: NotRequired[str | None]
    browser_version: NotRequired[str | None]
    device_family: NotRequired[str | None]
    """`DESKTOP`, `TABLET`, `MOBILE`, `PDA`, `OTHER` or `UNKNOWN`."""
    device_manufacture: NotRequired[str | None]
    device_model: NotRequired[str | None]
    features: NotRequired[list[str] | None]
    integration: NotRequired[str | None]
    """`WEB_SDK`, `MOBILE_SDK` or `BRAND_SDK`."""
    integration_version: NotRequired[str | None]
    ip_address: NotRequired[str | None]
    os: NotRequired[str | None]
    """`WINDOWS`, `LINUX`, `OSX`, `ANDROID`, `IOS` or `OTHER`."""
    os_name: NotRequired[str | None]
    os_version: NotRequired[str | None]
    time_zone: NotRequired[str | None]


class CloseData(TypedDict):
    """The stage became CLOSE."""

    closeReason: NotRequired[CloseReason | None]
    """The closing side."""
    closeTime: NotRequired[Timestamp | None]
    """The time."""


class CloseEvent(TypedDict):
    """The stage became CLOSE."""

    connection: NotRequired[str]
    """The connection."""
    data: CloseData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.close"]


class CloseRequest(TypedDict):
    dialog: NotRequired[str | None]
    """The dialog to close; the whole conversation if absent."""
    survey: NotRequired[bool]
    """Whether the survey may start, if the account has one; if false, all dialogs close at once."""


class CommandFailedData(TypedDict):
    """A command failed, or its outcome stays unknown."""

    caller: NotRequired[str | None]
    """The name of the caller, if the caller has one."""
    code: str
    """The stable code of the error."""
    command: str
    """The kind of the command."""
    detail: str
    """The error as text."""
    key: CommandKey
    """The command's key."""
    platformCode: NotRequired[int | None]
    """The platform's own code, if the platform refused the command or closed the connection over it."""


class CommandFailedEvent(TypedDict):
    """A command failed, or its outcome stays unknown."""

    connection: NotRequired[str]
    """The connection."""
    data: CommandFailedData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.command-failed"]


class CommandSentData(TypedDict):
    """A command succeeded."""

    caller: NotRequired[str | None]
    """The name of the caller, if the caller has one."""
    command: str
    """The kind of the command."""
    key: CommandKey
    """The command's key."""
    sequence: NotRequired[int | None]
    """The message's sequence in its dialog."""


class CommandSentEvent(TypedDict):
    """A command succeeded."""

    connection: NotRequired[str]
    """The connection."""
    data: CommandSentData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.command-sent"]


class Connection(TypedDict):
    failure: NotRequired[FailureReason | None]
    """Why the connection has failed."""
    state: ConnectionState
    account: str
    agentId: NotRequired[str | None]
    """The agent id of the connection, in the form `account.user`."""
    agentState: NotRequired[str | None]
    """The agent's state that the platform confirmed on the current socket."""
    attempts: int
    """Failed attempts since the connection was last stable."""
    conversationRestarts: int
    """Restarts of all its conversations after a panic."""
    conversations: int
    id: str
    lacking: Lacking
    """What the connection lacks on its socket: `subscriptions`, `rings` and `agentState`, each with the reason, and
    the number of conversations whose `histories` are incomplete. An absent member lacks nothing; if all are absent,
    the connection is fully ready."""
    lastError: NotRequired[str | None]
    reconnects: int
    restarts: int
    """Restarts of the connection's actor after a panic."""
    role: str
    """`brand`, `consumer`, `connector` or `intake`."""
    since: NotRequired[str | None]
    """When the state began; null for a connection that no node runs at the moment."""
    userId: NotRequired[str | None]
    """The user id of the connection: the messages that it sends have this id as `originatorId`. Null while the id is
    unknown, for an agent whose login does not report the public id, and for a connector, which sends for many
    consumers."""
    username: NotRequired[str | None]
    """The login name with which the connection logs in; null for a login that has none, and for a connection that no
    node runs at the moment."""
    waiting: NotRequired[ConnectionWaiting | None]


class ConnectionConnectedData(TypedDict):
    """The socket is open and the platform accepted the identity."""


class ConnectionConnectedEvent(TypedDict):
    """The socket is open and the platform accepted the identity."""

    connection: NotRequired[str]
    """The connection."""
    data: ConnectionConnectedData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.connection.connected"]


class ConnectionDefinition(TypedDict):
    """A connection to add, with the members of `[[connections]]` in the configuration."""

    account: str
    """The account at the platform: letters and digits."""
    agent_state: NotRequired[DefinedAgentState | None]
    """The agent's state after each connect. Only for the role `brand`."""
    client_properties: NotRequired[ClientProperties | None]
    history: NotRequired[ConnectionHistory | None]
    """Whether messages from before the connection also become events. `beginning`, the default, means yes."""
    id: str
    """Unique, 1 to 64 of the characters `A-Z a-z 0-9 . _ ~ -`."""
    login: NotRequired[ConnectionLogin | None]
    """The credentials. A consumer without a login is anonymous."""
    nodes: NotRequired[ConnectionNodes | None]
    proxy: NotRequired[ConnectionProxy | None]
    rings: NotRequired[RingHandling | None]
    """How rings are handled; `off` by default. Only for the role `brand`."""
    role: ConnectionRole
    subscribe: NotRequired[ConnectionSubscription | None]


class ConnectionDisconnectedData(TypedDict):
    """The socket is gone."""

    by: ClosedBy
    """The side that ended it."""
    code: NotRequired[int | None]
    """The close code, if there was one."""
    reason: DisconnectReason
    """The reason."""


class ConnectionDisconnectedEvent(TypedDict):
    """The socket is gone."""

    connection: NotRequired[str]
    """The connection."""
    data: ConnectionDisconnectedData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.connection.disconnected"]


class ConnectionFailedData(TypedDict):
    """The connection has given up."""

    reason: str
    """The reason."""


class ConnectionFailedEvent(TypedDict):
    """The connection has given up."""

    connection: NotRequired[str]
    """The connection."""
    data: ConnectionFailedData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.connection.failed"]


class ConnectionIdentityLostData(TypedDict):
    """The identity of a consumer is lost, and the connection continues as another consumer. The identity is
    anonymous, and each open conversation ends on this side, with its own `close`. After the loss of a step-up the
    configured consumer continues, and the conversations stay with the lost identity until it is stepped up to again."""

    conversations: int
    """How many conversations the connection held."""
    reason: IdentityLoss
    """The reason."""
    userId: NotRequired[UserId | None]
    """The previous consumer, as far as the platform reported it."""


class ConnectionIdentityLostEvent(TypedDict):
    """The identity of a consumer is lost, and the connection continues as another consumer. The identity is
    anonymous, and each open conversation ends on this side, with its own `close`. After the loss of a step-up the
    configured consumer continues, and the conversations stay with the lost identity until it is stepped up to again."""

    connection: NotRequired[str]
    """The connection."""
    data: ConnectionIdentityLostData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.connection.identity-lost"]


class ConnectionLackingData(TypedDict):
    """A part that the connection needs was refused, or works again."""

    lacking: Lacking
    """The parts refused now; empty if none."""


class ConnectionLackingEvent(TypedDict):
    """A part that the connection needs was refused, or works again."""

    connection: NotRequired[str]
    """The connection."""
    data: ConnectionLackingData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.connection.lacking"]


class ConnectionLife(TypedDict):
    """A connection's state, and the reason if it has failed."""

    failure: NotRequired[FailureReason | None]
    """Why the connection has failed."""
    state: ConnectionState


ConnectionNodes = TypedDict(
    "ConnectionNodes",
    {
        # Nodes with one of these labels or names may not.
        "not": NotRequired[List[str]],
        # Only nodes with one of these labels or names may.
        "only": NotRequired[List[str]],
        # How much work the connection is in proportion to others: 1 by default, 8 for a connector.
        "weight": NotRequired[Union[int, None]],
    },
)
"""Which nodes may run the connection, where several share the data."""


class ConnectionPage(TypedDict):
    """One page of a list."""

    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their items are missing; absent if there are none."""
    items: list[Connection]
    nextCursor: NotRequired[str | None]
    """The cursor of the next page; null on the last page."""


class ConnectionProxy(TypedDict):
    """An HTTP proxy between the connection and the platform."""

    host: str
    password: NotRequired[Credential | None]
    port: int
    username: NotRequired[Credential | None]


class ConnectionResumedData(TypedDict):
    """The connection has fetched what it missed."""

    account: AccountId
    """The account."""
    agentId: NotRequired[AgentId | None]
    """The agent id of the connection."""
    agentState: NotRequired[AgentState | None]
    """The agent's state that the platform confirmed."""
    conversations: int
    """Conversations in the subscription's snapshot."""
    filled: int
    """Missed messages that were fetched."""
    incomplete: int
    """Conversations whose history could not be brought up to date."""
    role: Role
    """The role of the connection."""
    userId: NotRequired[UserId | None]
    """The user id of the connection, as in `ConnectionStatus::user_id`."""


class ConnectionResumedEvent(TypedDict):
    """The connection has fetched what it missed."""

    connection: NotRequired[str]
    """The connection."""
    data: ConnectionResumedData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.connection.resumed"]


class ConnectionResumingData(TypedDict):
    """The connection is fetching what it missed."""

    attempt: int
    """Attempts since the connection was last stable."""


class ConnectionResumingEvent(TypedDict):
    """The connection is fetching what it missed."""

    connection: NotRequired[str]
    """The connection."""
    data: ConnectionResumingData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.connection.resuming"]


class ConnectionSubscription(TypedDict):
    """The conversations that the connection sees."""

    agents: NotRequired[SubscribedAgents | None]
    stage: NotRequired[list[SubscribedStage] | None]
    """The stages; `OPEN` by default, and for a consumer also `CLOSE`."""


class ConnectionWaiting(TypedDict):
    """What a connection waits for before its next attempt."""

    reason: WaitReason
    until: str
    """When the next attempt begins."""


class ConnectionWaitingData(TypedDict):
    """The connection cannot log in, or another login keeps ending it. It tries again by itself, but an operator may
    have to act. Emitted once until the connection is ready again."""

    lastError: NotRequired[str | None]
    """The last error, as text."""
    reason: WaitReason
    """The reason."""
    until: str
    """When it tries again for the first time."""


class ConnectionWaitingEvent(TypedDict):
    """The connection cannot log in, or another login keeps ending it. It tries again by itself, but an operator may
    have to act. Emitted once until the connection is ready again."""

    connection: NotRequired[str]
    """The connection."""
    data: ConnectionWaitingData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.connection.waiting"]


class Connections(TypedDict):
    """The number of connections by state."""

    failed: int
    """Failed for good."""
    moving: NotRequired[int | None]
    """Run by no node at the moment: they move, or wait for a node that may run them. Absent for a process alone."""
    ready: int
    """Ready for commands."""
    stopped: int
    """Stopped on request."""
    total: int
    working: int
    """Connecting or reconnecting."""


class ConnectorAssertionLogin(TypedDict):
    """The signed identity of a consumer, or its authorization code, for a connector of authenticated consumers."""

    assertion: Credential
    connector: Credential


class ConnectorConsumer(TypedDict):
    """A consumer of a connector."""

    firstName: NotRequired[str | None]
    id: str
    """The connector's own id of the consumer."""
    lastName: NotRequired[str | None]


class ConnectorLogin(TypedDict):
    """An anonymous consumer of a connector."""

    connector: Credential


class ConsumerInBrief(TypedDict):
    userId: str


class ConsumerRating(TypedDict):
    csatRate: int
    """From 0 to 5. A string is also accepted, because the SDK's class page has one."""
    csatResolutionConfirmation: NotRequired[bool | None]
    """Whether the consumer's issue was resolved."""
    csatStatus: NotRequired[str | None]
    """How much of the survey was answered: `FILLED`, `PARTIALLY_FILLED`, `SKIPPED` or `EMPTY`."""


class ConsumerStepUpData(TypedDict):
    """The consumer was replaced by another user id."""

    dialogId: DialogId
    """The dialog."""
    participant: Participant
    """The new consumer."""
    previous: Participant
    """The previous consumer."""


class ConsumerStepUpEvent(TypedDict):
    """The consumer was replaced by another user id."""

    connection: NotRequired[str]
    """The connection."""
    data: ConsumerStepUpData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.consumer-step-up"]


class ConsumerTakeover(TypedDict):
    newConsumerUserId: str
    """The consumer's new identity."""


class Conversation(TypedDict):
    """All members of a conversation under the names of the SDK's class page, with its dialogs and participants. An
    unknown member is null. Times are in milliseconds since the epoch."""

    accountId: NotRequired[AccountId | None]
    """The brand's account."""
    appInstId: NotRequired[str | None]
    """The id of the connector installation that created the conversation."""
    assignedAgent: NotRequired[Participant | None]
    """The agent assigned in the open dialog."""
    campaignId: NotRequired[NumberOrText | None]
    closeReason: NotRequired[CloseReason | None]
    closeTime: NotRequired[Timestamp | None]
    connection: ConnectionId
    """The connection that reports the conversation."""
    consumer: NotRequired[Participant | None]
    """The consumer in the open dialog."""
    context: NotRequired[JsonObject | None]
    """The consumer's source and device, as the platform sent them."""
    conversationId: ConversationId
    csat: NotRequired[Csat | None]
    delay: NotRequired[Delay | None]
    dialogs: list[Dialog]
    engagementId: NotRequired[NumberOrText | None]
    externalConsumerId: NotRequired[ExternalConsumerId | None]
    """A connector's own id of the consumer."""
    firstConversation: NotRequired[bool | None]
    """Whether this is the consumer's first conversation."""
    groupId: NotRequired[str | None]
    """The agent group."""
    handlerAccountId: NotRequired[AccountId | None]
    """The account that handles the conversation now."""
    handlerSkillId: NotRequired[SkillId | None]
    note: NotRequired[str | None]
    """The agents' note as the platform stores it."""
    notificationCount: int
    """States that were processed, including the first."""
    notificationIgnoredCount: int
    """States that repeated the known state."""
    notificationOutOfOrderCount: int
    """States that were older than the known state."""
    numberOfunreadMessages: NotRequired[dict[str, int] | None]
    """Unread messages by user id; null if the platform does not report them."""
    participants: list[Participant]
    """The participants of the open dialog, or of MAIN if no dialog is open."""
    sequence: str
    """The `sequence` of the conversation's last event. The members contain what that event reports, and nothing of
    later events. Events show it as text too."""
    skillId: NotRequired[SkillId | None]
    """The skill; `-1` means no skill."""
    stage: NotRequired[Stage | None]
    """The stage; null before the first state."""
    startTime: NotRequired[Timestamp | None]
    ttrEffective: NotRequired[Timestamp | None]
    """The time until which the agent must respond."""
    ttrEffectiveManual: NotRequired[Timestamp | None]
    """The deadline that an agent set."""
    ttrType: NotRequired[TtrType | None]
    ttrValue: NotRequired[int | None]
    """In seconds."""
    updateTime: NotRequired[Timestamp | None]
    """The version of the conversation's state."""


class ConversationChanges(TypedDict):
    """The members that changed, with their new values. A member that was unset is null."""

    accountId: NotRequired[AccountId | None]
    """The brand's account."""
    appInstId: NotRequired[str | None]
    """The id of the connector installation that created the conversation."""
    assignedAgent: NotRequired[Participant | None]
    """The agent assigned in the open dialog."""
    campaignId: NotRequired[NumberOrText | None]
    closeReason: NotRequired[CloseReason | None]
    closeTime: NotRequired[Timestamp | None]
    consumer: NotRequired[Participant | None]
    """The consumer in the open dialog."""
    context: NotRequired[JsonObject | None]
    """The consumer's source and device, as the platform sent them."""
    conversationId: NotRequired[ConversationId]
    csat: NotRequired[Csat | None]
    delay: NotRequired[Delay | None]
    dialogs: NotRequired[list[Dialog]]
    engagementId: NotRequired[NumberOrText | None]
    externalConsumerId: NotRequired[ExternalConsumerId | None]
    """A connector's own id of the consumer."""
    firstConversation: NotRequired[bool | None]
    """Whether this is the consumer's first conversation."""
    groupId: NotRequired[str | None]
    """The agent group."""
    handlerAccountId: NotRequired[AccountId | None]
    """The account that handles the conversation now."""
    handlerSkillId: NotRequired[SkillId | None]
    note: NotRequired[str | None]
    """The agents' note as the platform stores it."""
    notificationCount: NotRequired[int]
    """States that were processed, including the first."""
    notificationIgnoredCount: NotRequired[int]
    """States that repeated the known state."""
    notificationOutOfOrderCount: NotRequired[int]
    """States that were older than the known state."""
    numberOfunreadMessages: NotRequired[dict[str, int] | None]
    """Unread messages by user id; null if the platform does not report them."""
    participants: NotRequired[list[Participant]]
    """The participants of the open dialog, or of MAIN if no dialog is open."""
    skillId: NotRequired[SkillId | None]
    """The skill; `-1` means no skill."""
    stage: NotRequired[Stage | None]
    """The stage; null before the first state."""
    startTime: NotRequired[Timestamp | None]
    ttrEffective: NotRequired[Timestamp | None]
    """The time until which the agent must respond."""
    ttrEffectiveManual: NotRequired[Timestamp | None]
    """The deadline that an agent set."""
    ttrType: NotRequired[TtrType | None]
    ttrValue: NotRequired[int | None]
    """In seconds."""
    updateTime: NotRequired[Timestamp | None]
    """The version of the conversation's state."""


class ConversationEvent(TypedDict):
    """The first state of a conversation arrived. Carries all its members."""

    connection: NotRequired[str]
    """The connection."""
    data: Conversation
    """The first state of a conversation arrived. Carries all its members."""
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.conversation"]


class ConversationInBrief(TypedDict):
    """A conversation in brief."""

    assignedAgent: NotRequired[AgentInBrief | None]
    """The assigned agent; in a closed conversation the last one."""
    closeTime: NotRequired[int | None]
    connection: str
    consumer: NotRequired[ConsumerInBrief | None]
    """The consumer; in a closed conversation the last one."""
    conversationId: str
    externalConsumerId: NotRequired[str | None]
    """A connector's own id of the consumer; null for other roles."""
    lastMessage: NotRequired[LastMessage | None]
    """The newest message; null if no message is known."""
    skillId: NotRequired[str | None]
    """The skill; `-1` means no skill."""
    stage: NotRequired[str | None]
    """The stage; null before the first state."""
    startTime: NotRequired[int | None]
    """In milliseconds since the epoch, like all times."""
    ttrEffective: NotRequired[int | None]
    """The time until which the agent must respond."""
    unread: NotRequired[int | None]
    """The messages that the assigned agent has not read; null if no agent is assigned, or if the platform does not
    report the count."""
    updateTime: NotRequired[int | None]


class ConversationInBriefPage(TypedDict):
    """One page of a list."""

    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their items are missing; absent if there are none."""
    items: list[ConversationInBrief]
    nextCursor: NotRequired[str | None]
    """The cursor of the next page; null on the last page."""


class ConversationQuarantinedData(TypedDict):
    """A conversation's actor panicked too often and receives no more notifications."""

    restarts: int
    """The number of restarts since its start."""


class ConversationQuarantinedEvent(TypedDict):
    """A conversation's actor panicked too often and receives no more notifications."""

    connection: NotRequired[str]
    """The connection."""
    data: ConversationQuarantinedData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.conversation-quarantined"]


class ConversationRestartedData(TypedDict):
    """A conversation's actor was restarted after a panic."""

    restarts: int
    """The number of restarts since its start."""


class ConversationRestartedEvent(TypedDict):
    """A conversation's actor was restarted after a panic."""

    connection: NotRequired[str]
    """The connection."""
    data: ConversationRestartedData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.conversation-restarted"]


class Conversations(TypedDict):
    """The number of conversations; a conversation counts once for each connection that sees it."""

    asleep: NotRequired[int | None]
    """Unloaded to the store; null for a token that does not reach every connection."""
    inMemory: int
    """For a token that does not reach every connection, the unloaded conversations are included."""
    quarantined: NotRequired[int | None]
    """Null for a token that does not reach every connection."""


class Counts(TypedDict):
    """Counted since the process began. What is not counted for each connection is null for a token that does not
    reach every connection."""

    commandsDone: int
    commandsFailed: int
    deadLetters: NotRequired[int | None]
    events: NotRequired[int | None]
    frames: int
    messageGaps: NotRequired[int | None]
    messagesBackFilled: NotRequired[int | None]
    reconnects: int
    restarts: int


class CreatedWebhook(TypedDict):
    """A created webhook."""

    created: str
    cursor: str
    """The position up to which the log was read. All events up to it are delivered, except the pending ones."""
    failingSince: NotRequired[str | None]
    """When the current series of failures began."""
    filter: WebhookFilter
    id: str
    isReceiverDown: bool
    """Whether the receiver seems down and is only probed until a delivery succeeds."""
    lastDelivery: NotRequired[str | None]
    """The last successful delivery since the service started."""
    lastError: NotRequired[str | None]
    """The last failure since the service started."""
    oldSecretsUntil: list[str]
    """When each replaced secret stops signing."""
    ordered: bool
    """Whether the events of one conversation are delivered in order, one at a time."""
    pending: int
    """Events that were read and are not delivered yet."""
    reason: NotRequired[str | None]
    """Why the webhook is disabled: `requested`, `gone` (the receiver answered 410) or `failing` (for too long)."""
    replies: bool
    """Whether the service runs the receiver's answers as replies."""
    retries: list[float]
    """Seconds between the attempts to deliver one event."""
    since: NotRequired[str | None]
    """When the webhook was disabled."""
    state: str
    """`enabled` or `disabled`."""
    url: str
    secret: NotRequired[str | None]
    """The signing secret; absent if the same key was used before, because a secret is returned only once."""


class CredentialFile(TypedDict):
    """A file on the machine of the service, which `[gateway] secrets` must allow."""

    file: str


class Csat(TypedDict):
    """A satisfaction rating."""

    csatRate: NotRequired[int | None]
    """From 1 to 5."""
    csatResolutionConfirmation: NotRequired[bool | None]
    """Whether the matter was resolved."""
    status: NotRequired[CsatStatus | None]
    """How far the survey was completed."""


class DeadLetter(TypedDict):
    """A notification, command or delivery that could not be handled."""

    body: str
    """The bytes, in base64 in JSON."""
    connection: ConnectionId
    """The connection it belongs to."""
    conversation: NotRequired[ConversationId | None]
    """The conversation it belongs to, if any."""
    id: DeadLetterId
    """Its id."""
    isCut: NotRequired[bool]
    """Whether the bytes were truncated, because there were more than are kept of one item."""
    kind: DeadLetterKind
    """The kind of the bytes."""
    reason: str
    """Why handling failed. The reason may quote a message, so it is never logged."""
    subscriber: NotRequired[str | None]
    """The subscriber, if it is a delivery."""
    time: str
    """When the attempt was given up."""


class DeadLetterCause(TypedDict):
    """Dead letters of one cause. They differ only in the conversation and in the numbers and ids in their reason."""

    connections: list[str]
    """The connections of the letters, the first ten."""
    count: int
    """The number of letters."""
    first: str
    """When the oldest letter became a dead letter."""
    id: str
    """The id of the cause."""
    newest: DeadLetterInBrief
    """The newest letter."""


class DeadLetterCausePage(TypedDict):
    """One page of a list."""

    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their items are missing; absent if there are none."""
    items: list[DeadLetterCause]
    nextCursor: NotRequired[str | None]
    """The cursor of the next page; null on the last page."""


class DeadLetterInBrief(TypedDict):
    """A dead letter without its content."""

    connection: str
    conversation: NotRequired[str | None]
    id: str
    isCut: bool
    """Whether some bytes were cut off. A cut item cannot be handed over again."""
    kind: DeadLetterKind
    reason: str
    """Why the item could not be handled."""
    size: int
    """Bytes that are kept of the item."""
    subscriber: NotRequired[str | None]
    """The subscriber that could not take the item, if the item is a delivery."""
    time: str
    """When the item was given up."""


class DeadLetterInBriefPage(TypedDict):
    """One page of a list."""

    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their items are missing; absent if there are none."""
    items: list[DeadLetterInBrief]
    nextCursor: NotRequired[str | None]
    """The cursor of the next page; null on the last page."""


class Delay(TypedDict):
    """A postponement of the response time."""

    tillWhen: NotRequired[Timestamp | None]
    """The end of the postponement."""
    type: NotRequired[DelayType | None]
    """The reason."""


class Delivery(TypedDict):
    """One attempt."""

    attempt: int
    """The number of the attempt for this event, from 1."""
    conversation: NotRequired[str | None]
    """The conversation, if the event belongs to one."""
    durationMs: int
    """The duration in milliseconds."""
    eventId: str
    """The event's id, which is the same in every attempt."""
    nextTry: NotRequired[str | None]
    """The earliest time of the next attempt; null if the event was delivered or given up."""
    outcome: str
    """The outcome: `delivered`, `redirected`, `client-error`, `server-error`, `timed-out`, `name-not-found`,
    `internal-address`, `unreachable`, `connection-lost` or `unreadable`; `unusable-reply` if the webhook has
    `replies` and the answer is not a valid reply."""
    status: NotRequired[int | None]
    """The status of the receiver's answer, if there was an answer."""
    time: str
    """When the attempt began; like `next_try` rounded to milliseconds, so that the two can be compared."""
    type: str
    """The type of the event."""


class DeliveryPage(TypedDict):
    """One page of a list."""

    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their items are missing; absent if there are none."""
    items: list[Delivery]
    nextCursor: NotRequired[str | None]
    """The cursor of the next page; null on the last page."""


class Dialog(TypedDict):
    """A dialog of a conversation."""

    assignedAgent: NotRequired[Participant | None]
    channelType: NotRequired[ChannelType | None]
    closedBy: NotRequired[CloseReason | None]
    closedCause: NotRequired[str | None]
    """The cause of the close, as text."""
    consumer: NotRequired[Participant | None]
    dialogId: DialogId
    dialogType: NotRequired[DialogType | None]
    endTime: NotRequired[Timestamp | None]
    metaData: NotRequired[JsonObject | None]
    """Additional data of the dialog's kind, such as a survey's `appInstallId`."""
    nextSequence: NotRequired[int | None]
    """The sequence that the next message is expected to have."""
    participants: list[Participant]
    readByAssignedAgent: NotRequired[int | None]
    """The newest message that the assigned agent has read."""
    readByConsumer: NotRequired[int | None]
    """The newest message that the consumer has read."""
    startTime: NotRequired[Timestamp | None]
    state: DialogStatus
    updateTime: NotRequired[Timestamp | None]


class DialogCloseData(TypedDict):
    """A dialog closed."""

    closedBy: NotRequired[CloseReason | None]
    """Who closed it."""
    closedCause: NotRequired[str | None]
    """The cause, as text."""
    dialogId: DialogId
    """The dialog's id."""
    metaDataLastUpdateTs: NotRequired[Timestamp | None]
    """The version of the dialog's state."""
    participantsDetails: list[Participant]
    """The participants at the end."""
    state: DialogStatus
    """The present state."""


class DialogCloseEvent(TypedDict):
    """A dialog closed."""

    connection: NotRequired[str]
    """The connection."""
    data: DialogCloseData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.dialog.close"]


class DialogData(TypedDict):
    """A new dialog."""

    channelType: NotRequired[ChannelType | None]
    """The medium."""
    dialogId: DialogId
    """The dialog's id."""
    dialogType: NotRequired[DialogType | None]
    """The dialog's purpose."""
    state: DialogStatus
    """Whether it is open."""


class DialogEvent(TypedDict):
    """A new dialog."""

    connection: NotRequired[str]
    """The connection."""
    data: DialogData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.dialog"]


class DiscardedDeadLetters(TypedDict):
    """How many dead letters were deleted."""

    discarded: int


DutyMove = TypedDict(
    "DutyMove",
    {
        # `first`: no node had the duty before. `node-lost`: its node was fenced. `drained`: its node hands over all it
        # has. `handed-over`: it was moved for balance or by an operator. `free`: its node left, joined again or gave it
        # back.
        "cause": str,
        # The duty, such as `connection/bots-1`.
        "duty": str,
        # The node that had the duty before; null if none had it or it is not known.
        "from": NotRequired[Union[str, None]],
        # Seconds since the last sign of life of the lost node, or since the decision to move; null for other causes.
        "seconds": NotRequired[Union[float, None]],
        # When, in milliseconds since 1970 by the clock of the node.
        "time": int,
        # The node that has taken the duty.
        "to": str,
    },
)
"""A duty that a node has taken."""


class EnvironmentVariable(TypedDict):
    """An environment variable of the service, which `[gateway] secrets` must allow."""

    env: str


class EventPage(TypedDict):
    """A page of the log, in its order."""

    cursor: str
    """Give this cursor as `after` to get the next page. If the cursor does not change, there are no more events yet."""
    items: list[Event]


class FileUpload(TypedDict):
    """A file to send, as a form."""

    caption: NotRequired[str | None]
    """The file's caption."""
    dialog: NotRequired[str | None]
    """The dialog; the open dialog if absent."""
    file: bytes
    """JPG, JPEG, PNG, GIF, PDF, DOCX, PPTX or XLSX, by its name or else by its media type; at most 3 MiB."""


class GapEvent(TypedDict):
    """Sequences that the platform could not provide; delivery continues after them."""

    connection: NotRequired[str]
    """The connection."""
    data: GapData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.gap"]


class GroupChangeData(TypedDict):
    """The agent group changed."""

    newGroupId: NotRequired[str | None]
    """The new group."""
    prevGroupId: NotRequired[str | None]
    """The old group."""


class GroupChangeEvent(TypedDict):
    """The agent group changed."""

    connection: NotRequired[str]
    """The connection."""
    data: GroupChangeData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.group-change"]


class Health(TypedDict):
    """The process is alive."""

    alive: bool


class JoinRequest(TypedDict):
    dialog: NotRequired[str | None]
    """The dialog; the open dialog if absent."""
    role: str
    """The role, such as `AGENT`, `MANAGER` or `READER`."""


class JournalState(TypedDict):
    """The state of the journal, which makes events durable."""

    healthy: bool
    """Whether the last commit succeeded."""
    newest: str
    """The cursor of the newest durable event, from which a reader can continue."""
    waiting: NotRequired[int | None]
    """Steps that are not durable yet; null for a token that does not reach every connection."""


class JwtLogin(TypedDict):
    """A consumer's token from an earlier login."""

    jwt: Credential


class KeyLogin(TypedDict):
    """A bot's keys."""

    access_token: Credential
    access_token_secret: Credential
    app_key: Credential
    secret: Credential
    username: Credential


class Lacking(TypedDict):
    """The missing parts of a connection. A part that works, or is not wanted, is absent."""

    agentState: NotRequired[str | None]
    """Why the platform does not have the agent's state."""
    histories: NotRequired[int]
    """The number of conversations whose history is not up to date."""
    rings: NotRequired[str | None]
    """Why the subscription to rings does not work: no conversation is offered."""
    subscriptions: NotRequired[str | None]
    """Why the subscriptions to conversations do not work: new conversations and changes stay unknown."""


class LastMessage(TypedDict):
    role: NotRequired[str | None]
    """The author's role."""
    sequence: int
    """The message's sequence in its dialog."""
    text: NotRequired[str | None]
    """The beginning of the text, at most 160 characters; null if the message is not text."""
    time: NotRequired[int | None]


class Latencies(TypedDict):
    """Recent latencies."""

    command: Quantiles
    """Time from a command to its outcome, including the platform's time."""
    frameToEvent: Quantiles
    """Time from a frame to its events, without the platform's time."""
    windowSeconds: float
    """The period of the latencies, in seconds."""


class LeaveRequest(TypedDict):
    dialog: NotRequired[str | None]
    """The dialog; the open dialog if absent."""


class LoadedConversation(TypedDict):
    """The loaded or unloaded conversation, and its connection."""

    connection: str
    conversationId: str


class LogGap(TypedDict):
    """Events of the log that a reader does not receive."""

    missed: int | None
    """The number of these events, if known."""
    snapshot: str
    """The path where the current state can be read."""


class ManualDeadline(TypedDict):
    time: int
    """The deadline, in milliseconds since the epoch."""


class ManualEttrChangeData(TypedDict):
    """An agent set the deadline."""

    ttrEffective: NotRequired[Timestamp | None]
    """The deadline in force."""
    ttrEffectiveManual: NotRequired[Timestamp | None]
    """The deadline set."""


class ManualEttrChangeEvent(TypedDict):
    """An agent set the deadline."""

    connection: NotRequired[str]
    """The connection."""
    data: ManualEttrChangeData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.manual-ettr-change"]


class Message(TypedDict):
    """A message of a dialog."""

    backFilled: NotRequired[bool]
    """Whether it is not new, because it was published before the conversation came to this connection."""
    body: MessageBody
    """A string for text, an object for everything else, as the platform sent it."""
    contentType: NotRequired[ContentType | None]
    """The type of the body; absent for rich content."""
    dialogId: DialogId
    """The dialog."""
    externalConsumerId: NotRequired[ExternalConsumerId | None]
    """The connector's own id of the consumer."""
    messageAudience: MessageAudience
    """The audience."""
    metadata: NotRequired[list[JsonObject] | None]
    """The metadata of the publishing request, an array."""
    originatorId: NotRequired[UserId | None]
    """The author."""
    quickReplies: NotRequired[JsonObject | None]
    """Suggested replies."""
    role: NotRequired[ParticipantRole | None]
    """The author's role at that time."""
    sequence: int
    """Its sequence in the dialog, from 0."""
    time: NotRequired[Timestamp | None]
    """When the platform received it."""


class MessageDelivery(TypedDict):
    """A receipt."""

    dialogId: DialogId
    """The dialog."""
    originatorId: NotRequired[UserId | None]
    """The reader."""
    role: NotRequired[ParticipantRole | None]
    """The reader's role at that time."""
    sequence: int
    """The receipt's own sequence in the dialog."""
    sequences: list[int]
    """The sequences of the messages."""
    status: DeliveryStatus
    """The status of the messages."""
    time: NotRequired[Timestamp | None]
    """The time."""


class MessageDeliveryEvent(TypedDict):
    """A receipt."""

    connection: NotRequired[str]
    """The connection."""
    data: MessageDelivery
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.message-delivery"]


class MessageEvent(TypedDict):
    """A message of a dialog."""

    connection: NotRequired[str]
    """The connection."""
    data: Message
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.message"]


class MessageHistory(TypedDict):
    """The requested messages, in the order of their dialog."""

    items: list[Message]
    """Each message as in the event `tertulia.message`."""


class MessageReceipt(TypedDict):
    dialog: NotRequired[str | None]
    """The dialog; if absent, the open dialog, or MAIN if no dialog is open."""
    metadata: NotRequired[list[Any]]
    sequences: list[int]
    """The sequences of the messages; if empty, nothing happens."""


class Minute(TypedDict):
    """What happened in one minute."""

    commands: int
    """Commands that succeeded or failed."""
    commandsFailed: int
    """Commands that failed."""
    events: NotRequired[int | None]
    """Events; null for a token that does not reach every connection."""
    frames: int
    """Frames that arrived."""
    p50: NotRequired[float | None]
    """The median of the time from a frame to its events, in seconds. Null if no event came, and for a token that
    does not reach every connection."""
    p99: NotRequired[float | None]
    """The 99th percentile of the same time."""
    reconnects: int
    """Connections that became ready again after a loss."""
    restarts: int
    """Restarts of actors after a panic."""
    time: str
    """The beginning of the minute. Minutes in which the service did not run are left out."""


class Move(TypedDict):
    """Which node is to have a connection."""

    node: str
    """The node's name."""


class NewConversation(TypedDict):
    campaignInfo: NotRequired[JsonObject | None]
    """The campaign and engagement."""
    consumer: NotRequired[ConnectorConsumer | None]
    """The consumer; only for a connector, which acts for many consumers."""
    context: NotRequired[JsonObject | None]
    """The context that the consumer comes from."""
    skillId: NotRequired[str | None]
    """The skill; the account's default if absent."""
    ttrType: NotRequired[str | None]
    """`NORMAL`, `URGENT` or `PRIORITIZED`."""


class NewMessage(TypedDict):
    """A message to publish: either a text or structured content."""

    dialog: NotRequired[str | None]
    """The dialog; the open dialog if absent."""
    metadata: NotRequired[list[JsonObject]]
    private: NotRequired[bool]
    """Whether only agents see the message."""
    quickReplies: NotRequired[JsonObject | None]
    richText: NotRequired[JsonObject | None]
    """Structured content."""
    text: NotRequired[str | None]


class NewNote(TypedDict):
    agentId: NotRequired[str | None]
    """The note's agent; the connection's agent if absent."""
    isAutoSummary: NotRequired[bool]
    """Whether a machine wrote the note."""
    name: NotRequired[str | None]
    """The agent's name as shown to others; the name of the connection's agent if absent."""
    noteContent: str
    noteId: NotRequired[str | None]
    """The note to replace; a new note if absent."""
    truncateEnabled: NotRequired[bool | None]
    """Whether the note may be cut to fit."""


class NewWebhook(TypedDict):
    """A webhook to create."""

    after: NotRequired[str | None]
    """The id of the event after which delivery begins; the newest event by default."""
    enabled: NotRequired[bool | None]
    """Whether the webhook is enabled from the start; true by default."""
    filter: NotRequired[WebhookFilter | None]
    """Which events; all events by default."""
    ordered: NotRequired[bool | None]
    """Whether the events of one conversation are delivered in order, one at a time; true by default."""
    replies: NotRequired[bool | None]
    """Whether the service runs the receiver's answers as replies, in the format `WebhookAnswer`; false by default. A
    webhook with replies must be ordered."""
    retries: NotRequired[list[float] | None]
    """Seconds between the attempts to deliver one event, at most 20 numbers from 0 to 86,400; by default 5, 300,
    1800, 7200, 18000, 36000 and 36000."""
    secret: NotRequired[str | None]
    """The signing secret: `whsec_` and 24 to 64 bytes in base64; a random secret by default."""
    url: str
    """The receiver: an https URL without credentials, at most 2,048 bytes."""


class NewWebhookSecret(TypedDict):
    """The secret that the webhook signs with from now on."""

    oldSecretUntil: str
    """When the previous secret stops signing."""
    secret: str


class Node(TypedDict):
    """A node of the cluster."""

    address: str
    """How other nodes reach it."""
    capacity: float
    """How much it takes on, relative to other nodes."""
    connections: int
    """The connections that it runs, by its last sign of life."""
    conversations: int
    """Its conversations, in memory or asleep, by its last sign of life."""
    draining: bool
    """Whether the node hands over all its duties."""
    duties: list[str]
    """Its duties, such as `connection/bots-1` and `webhooks`."""
    id: str
    """The node's name."""
    isThis: bool
    """Whether this node answered the request."""
    labels: list[str]
    silentFor: int
    """Milliseconds since a new sign of life was seen."""
    since: int
    """When it joined, in milliseconds since 1970 by its own clock."""
    standing: str
    """`valid`, or `suspended` if it has not shown for long that it runs."""
    version: str
    """The version of its program."""


class NodeWithMoves(TypedDict):
    """A node, and what it has taken."""

    address: str
    """How other nodes reach it."""
    capacity: float
    """How much it takes on, relative to other nodes."""
    connections: int
    """The connections that it runs, by its last sign of life."""
    conversations: int
    """Its conversations, in memory or asleep, by its last sign of life."""
    draining: bool
    """Whether the node hands over all its duties."""
    duties: list[str]
    """Its duties, such as `connection/bots-1` and `webhooks`."""
    id: str
    """The node's name."""
    isThis: bool
    """Whether this node answered the request."""
    labels: list[str]
    silentFor: int
    """Milliseconds since a new sign of life was seen."""
    since: int
    """When it joined, in milliseconds since 1970 by its own clock."""
    standing: str
    """`valid`, or `suspended` if it has not shown for long that it runs."""
    version: str
    """The version of its program."""
    moves: NotRequired[list[DutyMove] | None]
    """The last duties that the node has taken since it joined, the newest first, at most 50. Null if the node itself
    does not answer."""


class Nodes(TypedDict):
    """The nodes of the cluster."""

    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their moves are missing; absent if there are none."""
    items: list[Node]
    moves: list[DutyMove]
    """The last duties that nodes have taken, the newest first, at most 50. A node notes what it has taken since it
    joined."""
    unassigned: list[str]
    """Duties that no node has at the moment."""


class Notable(TypedDict):
    """A notable event: something that an operator should know."""

    connection: NotRequired[str | None]
    conversation: NotRequired[str | None]
    data: JsonObject
    """The data of the event. For `dead-letters`, the `count`, `letterKind` and `reason` of letters of one cause. For
    a webhook, its id as `webhook`."""
    id: str
    """The id of the event in the log, or an id that is made from the kind and the time."""
    kind: str
    """The name of an event after `tertulia.`: `connection.disconnected`, `connection.waiting`, `connection.failed`,
    `connection.lacking`, `connection.identity-lost`, `conversation-restarted` or `conversation-quarantined`. Notable
    events that are not in the log: `connection-restarted`, `dead-letters`, `webhook-failing`, `webhook-disabled`,
    `service-started` and `not-noted`."""
    time: str
    """When it happened."""


class NotificationIgnoredData(TypedDict):
    """A notification repeated the known state."""


class NotificationIgnoredEvent(TypedDict):
    """A notification repeated the known state."""

    connection: NotRequired[str]
    """The connection."""
    data: NotificationIgnoredData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.notification-ignored"]


class NotificationOutOfOrderData(TypedDict):
    """A notification was older than the known state, or its part about one dialog was."""

    dialogId: NotRequired[DialogId | None]
    """The dialog, if the rest of the state was applied."""


class NotificationOutOfOrderEvent(TypedDict):
    """A notification was older than the known state, or its part about one dialog was."""

    connection: NotRequired[str]
    """The connection."""
    data: NotificationOutOfOrderData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.notification-out-of-order"]


class Offer(TypedDict):
    """A conversation offered to an agent."""

    consumerId: NotRequired[UserId | None]
    """The consumer of the conversation."""
    conversationId: NotRequired[ConversationId | None]
    """The offered conversation."""
    ringExpirationTs: NotRequired[Timestamp | None]
    """When the offer expires."""
    ringId: RingId
    """The offer's id."""
    ringState: RingState
    """The state of the offer."""
    skillId: NotRequired[SkillId | None]
    """The conversation's skill."""


class OpenedConversation(TypedDict):
    """The opened conversation."""

    connection: str
    conversationId: str


class Overview(TypedDict):
    """The current state of the process, or of all nodes. Counters start with each process."""

    connections: Connections
    conversations: Conversations
    counts: Counts
    deadLetters: int
    """Dead letters that are kept."""
    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their numbers are missing; absent if there are none."""
    journal: JournalState
    latency: NotRequired[Latencies | None]
    """Recent latencies; null for the first request, and for a token that does not reach every connection."""
    minutes: NotRequired[list[Minute] | None]
    """The last hour by minute, the oldest first. With a store, this includes previous runs. A token that does not
    reach every connection gets the numbers of its own connections. Null without `history`."""
    nodes: NotRequired[int | None]
    """The number of nodes, as the node that answers last saw them; absent for a process alone."""
    notable: NotRequired[list[Notable] | None]
    """The newest 200 notable events, the newest first. With a store, this includes previous runs. Null without
    `history`."""
    residentBytes: NotRequired[int | None]
    """Memory of the process in RAM; null if the system does not report it, and for a token that does not reach every
    connection."""
    scope: str
    """The scope of the caller's token."""
    uptimeSeconds: int
    """Seconds since the gateway started; of several nodes, since the first of them did."""
    version: str
    """The version of the node that answers."""


class Participant(TypedDict):
    """A participant of a dialog."""

    agentId: NotRequired[AgentId | None]
    """The agent's id, sent only on brand sockets; consumers have none."""
    chatState: ChatState
    """The participant's activity; `ChatState::Active` until one is received."""
    role: ParticipantRole
    """The participant's role."""
    state: ParticipantStatus
    """Whether the participant has joined."""
    userId: UserId
    """The consumer's id or the agent's public id. If the platform has not sent a public id, the agent id."""


class ParticipantAddedData(TypedDict):
    """A participant joined."""

    context: AdditionContext
    """The reason."""
    dialogId: DialogId
    """The dialog."""
    participant: Participant
    """The participant."""


class ParticipantAddedEvent(TypedDict):
    """A participant joined."""

    connection: NotRequired[str]
    """The connection."""
    data: ParticipantAddedData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.participant-added"]


class ParticipantRemovedData(TypedDict):
    """A participant left."""

    dialogId: DialogId
    """The dialog."""
    participant: Participant
    """The participant."""


class ParticipantRemovedEvent(TypedDict):
    """A participant left."""

    connection: NotRequired[str]
    """The connection."""
    data: ParticipantRemovedData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.participant-removed"]


class ParticipantRoleChangeData(TypedDict):
    """A participant, or suggested participant, has another role now."""

    dialogId: DialogId
    """The dialog."""
    participant: Participant
    """The participant, with the new role."""
    previousRole: ParticipantRole
    """The previous role."""


class ParticipantRoleChangeEvent(TypedDict):
    """A participant, or suggested participant, has another role now."""

    connection: NotRequired[str]
    """The connection."""
    data: ParticipantRoleChangeData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.participant-role-change"]


class ParticipantSuggestedData(TypedDict):
    """A participant was suggested."""

    dialogId: DialogId
    """The dialog."""
    participant: Participant
    """The participant."""


class ParticipantSuggestedEvent(TypedDict):
    """A participant was suggested."""

    connection: NotRequired[str]
    """The connection."""
    data: ParticipantSuggestedData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.participant-suggested"]


class ParticipantSuggestedRemovedData(TypedDict):
    """A suggested participant is no longer suggested."""

    dialogId: DialogId
    """The dialog."""
    participant: Participant
    """The participant."""


class ParticipantSuggestedRemovedEvent(TypedDict):
    """A suggested participant is no longer suggested."""

    connection: NotRequired[str]
    """The connection."""
    data: ParticipantSuggestedRemovedData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.participant-suggested-removed"]


class PasswordLogin(TypedDict):
    """An agent's user name and password."""

    password: Credential
    username: Credential


class PlatformRequest(TypedDict):
    """A request of the platform's protocol."""

    body: JsonObject
    headers: NotRequired[list[JsonObject]]
    metadata: NotRequired[list[JsonObject]]
    type: str
    """The type, such as `cqm.SubscribeExConversations`."""


class Problem(TypedDict):
    """The body of an error. `type` is `about:blank`: `code` names the kind of error, and `detail` describes this
    error."""

    code: ProblemCode
    detail: str
    status: int
    title: str
    type: str


class ProcessTotals(TypedDict):
    """Totals that belong to no connection; absent for a token that does not reach every connection."""

    arbitersFrozen: NotRequired[int | None]
    arbitersReplaced: NotRequired[int | None]
    connectionsMoved: NotRequired[int | None]
    escalations: NotRequired[int | None]
    """Times that a connection restarted because many of its conversations failed together."""
    fleetRestarts: NotRequired[int | None]
    subscriberRestarts: NotRequired[int | None]


class PublishedMessage(TypedDict):
    """Where the message was published."""

    sequence: NotRequired[int | None]
    """The message's sequence in the dialog, if the platform reports it."""


class Quantiles(TypedDict):
    """Quantiles in seconds, as precise as the buckets of `/metrics`; null if nothing was counted."""

    count: int
    p50: NotRequired[float | None]
    p99: NotRequired[float | None]


class QuarantinedConversation(TypedDict):
    """A conversation that was given up."""

    conversation: ConversationId
    """The conversation's id."""
    notificationsDropped: int
    """Notifications dropped since then."""
    reason: str
    """The text of its last panic, or why its stored state cannot be read. The text may quote a message, so it is
    never logged."""
    restarts: int
    """The number of restarts before it was given up."""
    since: str
    """When it was given up."""


class Readiness(TypedDict):
    """The service is ready."""

    damagedEvents: NotRequired[int | None]
    """Events that cannot be read from the store; absent if there are none."""
    ready: bool
    reasons: NotRequired[list[ReadinessReason]]
    """The connections that are not ready or lack something, as far as the caller sees them; absent if there are
    none. The service is ready without them."""


class ReadinessLacking(TypedDict):
    """What a connection lacks. What works is absent."""

    agentState: NotRequired[bool | None]
    histories: NotRequired[int | None]
    """The number of conversations whose history is incomplete."""
    rings: NotRequired[bool | None]
    subscriptions: NotRequired[bool | None]


class ReadinessReason(TypedDict):
    """A connection that is not ready or lacks something. Error texts are left out, because everybody may read this."""

    failure: NotRequired[FailureReason | None]
    """Why the connection has failed."""
    state: ConnectionState
    blocking: bool
    """Whether the service is not ready because of this connection."""
    connection: str
    lacking: ReadinessLacking


class Rebalanced(TypedDict):
    """What came of a request to all nodes."""

    incomplete: list[str]
    """The nodes that did not answer, and may still drain."""


class ResponseTime(TypedDict):
    ttrType: str
    """`NORMAL`, `URGENT`, `PRIORITIZED` or `CUSTOM`."""
    value: NotRequired[int]
    """In seconds; used only for `CUSTOM`."""


class RestartPolicy(TypedDict):
    restarts: int
    """Restarts allowed within the window."""
    windowSeconds: int


class Ring(TypedDict):
    """An offer that waits for an answer."""

    connection: str
    consumerId: NotRequired[str | None]
    conversationId: NotRequired[str | None]
    id: str
    ringExpirationTs: NotRequired[int | None]
    """When the offer expires, in milliseconds."""
    skillId: NotRequired[str | None]


class RingEvent(TypedDict):
    """A conversation offered to an agent."""

    connection: NotRequired[str]
    """The connection."""
    data: Offer
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.ring"]


class RingPage(TypedDict):
    """One page of a list."""

    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their items are missing; absent if there are none."""
    items: list[Ring]
    nextCursor: NotRequired[str | None]
    """The cursor of the next page; null on the last page."""


SequenceGap = TypedDict(
    "SequenceGap",
    {
        # Whether they are still expected and may arrive: delivery waits for them.
        "awaited": NotRequired[bool],
        # The dialog.
        "dialogId": "DialogId",
        # The first missing sequence.
        "from": int,
        # The last missing sequence, as far as known.
        "to": int,
    },
)
"""Sequences that the platform could not provide; delivery continues after them."""


class SessionLogin(TypedDict):
    """An agent's session that another program has begun."""

    bearer: Credential
    csrf: Credential
    session_id: Credential
    user_id: Credential


class SkillChangeData(TypedDict):
    """The skill changed."""

    newSkillId: NotRequired[SkillId | None]
    """The new skill."""
    prevSkillId: NotRequired[SkillId | None]
    """The old skill."""


class SkillChangeEvent(TypedDict):
    """The skill changed."""

    connection: NotRequired[str]
    """The connection."""
    data: SkillChangeData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.skill-change"]


class Snapshot(TypedDict):
    """A serialized conversation, which any service of the same version can load. Callers may read `version`,
    `sequence` and `outline`. `conversation` is internal and may change with the version."""

    at: NotRequired[Timestamp | None]
    """When the snapshot was taken."""
    chatStates: NotRequired[list[SnapshotChatState]]
    """The newest chat state of each participant with a reported chat state."""
    consumer: NotRequired[ExternalConsumerId | None]
    """A connector's own id of the consumer."""
    conversation: JsonObject
    held: NotRequired[bool]
    """Whether the conversation belonged to its connection when the snapshot was taken."""
    outline: NotRequired[SnapshotOutline | None]
    sequence: int
    """The sequence of the conversation's last event."""
    version: int
    """The version of the format."""


class SnapshotAgent(TypedDict):
    """An agent with all known ids."""

    agentId: NotRequired[str | None]
    userId: UserId


class SnapshotAssignment(TypedDict):
    """Stage, skill and agent of a conversation."""

    agent: NotRequired[SnapshotAgent | None]
    skillId: NotRequired[SkillId | None]
    stage: NotRequired[Stage | None]


class SnapshotChatState(TypedDict):
    """The newest chat state of one participant in one dialog."""

    chatState: ChatState
    dialog: str
    sent: Timestamp
    user: str


class SnapshotOutline(TypedDict):
    """A summary of a conversation. An unknown time is negative."""

    assignment: NotRequired[SnapshotAssignment | None]
    closeTime: Timestamp
    consumer: NotRequired[UserId | None]
    externalConsumer: NotRequired[ExternalConsumerId | None]
    startTime: Timestamp
    ttrEffective: Timestamp
    """The time until which the agent must respond."""
    unread: NotRequired[int | None]
    """The messages that the assigned agent has not read."""
    updateTime: Timestamp


class StepUp(TypedDict):
    """The proof of the consumer's identity."""

    code: str
    """The brand's proof of the consumer's identity: an authorisation code or a signed JWT."""
    connectorId: str
    """The connector of authenticated consumers."""


class SteppedUp(TypedDict):
    """The consumer after a step-up."""

    conversations: list[TakenOver]
    """What happened to each open conversation of the previous consumer."""
    userId: UserId
    """The consumer's new id."""


class SupervisedConnection(TypedDict):
    failure: NotRequired[FailureReason | None]
    """Why the connection has failed."""
    state: ConnectionState
    conversationRestarts: int
    conversations: int
    id: str
    quarantined: list[QuarantinedConversation]
    restarts: int
    since: str


class Supervision(TypedDict):
    connections: list[SupervisedConnection]
    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their connections and totals are missing; absent if there are
    none."""
    policies: dict[str, RestartPolicy]
    """The restart policies, by kind of actor."""
    totals: SupervisionTotals
    """Counted since the process began; of several nodes, the sums."""


class SupervisionTotals(TypedDict):
    arbitersFrozen: NotRequired[int | None]
    arbitersReplaced: NotRequired[int | None]
    connectionsMoved: NotRequired[int | None]
    escalations: NotRequired[int | None]
    """Times that a connection restarted because many of its conversations failed together."""
    fleetRestarts: NotRequired[int | None]
    subscriberRestarts: NotRequired[int | None]
    connectionRestarts: int
    conversationRestarts: int
    deadLetters: int


class TakenOver(TypedDict):
    """A conversation of a consumer who stepped up."""

    code: NotRequired[ProblemCode | None]
    """The code of the error, if the conversation could not be transferred to the new consumer."""
    conversationId: ConversationId
    outcome: TakeoverOutcome


class TestData(TypedDict):
    """A test of the webhook, which reports nothing."""


class TestEvent(TypedDict):
    """A test of the webhook, which reports nothing."""

    connection: NotRequired[str]
    """The connection."""
    data: TestData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.test"]


class TransferAgentData(TypedDict):
    """The conversation is offered to another agent."""

    dialogId: DialogId
    """The dialog."""
    participant: Participant
    """The agent transferred to."""


class TransferAgentEvent(TypedDict):
    """The conversation is offered to another agent."""

    connection: NotRequired[str]
    """The connection."""
    data: TransferAgentData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.transfer-agent"]


class TransferRequest(TypedDict):
    agentId: NotRequired[str | None]
    """The agent, as `account.user` or as the user alone."""
    skillId: NotRequired[str | None]
    """The skill."""


class TransferSkillData(TypedDict):
    """The skill changed and nobody is assigned."""

    dialogId: DialogId
    """The dialog."""
    skillId: SkillId
    """The skill transferred to."""


class TransferSkillEvent(TypedDict):
    """The skill changed and nobody is assigned."""

    connection: NotRequired[str]
    """The connection."""
    data: TransferSkillData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.transfer-skill"]


class TtrChangeData(TypedDict):
    """The response time changed."""

    ttrEffective: NotRequired[Timestamp | None]
    """The deadline in force."""
    ttrType: NotRequired[TtrType | None]
    """How it is set."""
    ttrValue: NotRequired[int | None]
    """In seconds."""


class TtrChangeEvent(TypedDict):
    """The response time changed."""

    connection: NotRequired[str]
    """The connection."""
    data: TtrChangeData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.ttr-change"]


class UpdateData(TypedDict):
    """A notification changed members that no other event reports. Follows the other events of the notification."""

    changed: ConversationChanges


class UpdateEvent(TypedDict):
    """A notification changed members that no other event reports. Follows the other events of the notification."""

    connection: NotRequired[str]
    """The connection."""
    data: UpdateData
    datacontenttype: Literal["application/json"]
    id: str
    """The cursor: a reader continues after this event with this id."""
    sequence: NotRequired[str]
    """The event's number in its conversation, from 1, without holes."""
    source: str
    """The account and the connection, as a path."""
    specversion: Literal["1.0"]
    subject: NotRequired[str]
    """The conversation; absent for a connection's own events."""
    time: str
    type: Literal["tertulia.update"]


class WaitingCommand(TypedDict):
    """A waiting command."""

    asked: int
    """When the command was requested, or restored by this process, in milliseconds since the epoch."""
    command: str
    """The command's name, as in the events `tertulia.command-sent` and `tertulia.command-failed`."""
    deadline: int
    """When the command times out, in milliseconds since the epoch."""
    durable: bool
    """Whether the caller gave the command a key; such a command survives a restart of this process."""
    key: str
    """The caller's `Idempotency-Key`, or the generated key of the command."""
    state: CommandState
    suspected: NotRequired[int | None]
    """The code with which the platform closed the socket while the command was in flight; the command is then sent
    again without others."""


class WaitingCommandPage(TypedDict):
    """One page of a list."""

    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their items are missing; absent if there are none."""
    items: list[WaitingCommand]
    nextCursor: NotRequired[str | None]
    """The cursor of the next page; null on the last page."""


class Webhook(TypedDict):
    """A webhook and its state."""

    created: str
    cursor: str
    """The position up to which the log was read. All events up to it are delivered, except the pending ones."""
    failingSince: NotRequired[str | None]
    """When the current series of failures began."""
    filter: WebhookFilter
    id: str
    isReceiverDown: bool
    """Whether the receiver seems down and is only probed until a delivery succeeds."""
    lastDelivery: NotRequired[str | None]
    """The last successful delivery since the service started."""
    lastError: NotRequired[str | None]
    """The last failure since the service started."""
    oldSecretsUntil: list[str]
    """When each replaced secret stops signing."""
    ordered: bool
    """Whether the events of one conversation are delivered in order, one at a time."""
    pending: int
    """Events that were read and are not delivered yet."""
    reason: NotRequired[str | None]
    """Why the webhook is disabled: `requested`, `gone` (the receiver answered 410) or `failing` (for too long)."""
    replies: bool
    """Whether the service runs the receiver's answers as replies."""
    retries: list[float]
    """Seconds between the attempts to deliver one event."""
    since: NotRequired[str | None]
    """When the webhook was disabled."""
    state: str
    """`enabled` or `disabled`."""
    url: str


class WebhookAnswer(TypedDict):
    """The answer of a receiver whose webhook has `"replies": true`, with a status from 200 to 299. Its commands run
    in the event's conversation, on the connection of the event: the messages in order, then the transfer, then the
    close. All members are optional. An empty body means that the receiver has no reply."""

    close: NotRequired[WebhookAnswerClose | None]
    messages: NotRequired[list[WebhookAnswerMessage] | None]
    """The messages, at most 20."""
    transfer: NotRequired[WebhookAnswerTransfer | None]
    typing: NotRequired[bool | None]
    """Whether the other participants see this side as typing until a message arrives."""


class WebhookAnswerClose(TypedDict):
    """Closes the conversation."""

    survey: NotRequired[bool | None]
    """Whether the survey may start, if the account has one; true by default."""


class WebhookAnswerMessage(TypedDict):
    """A message: text or structured content."""

    metadata: NotRequired[list[JsonObject] | None]
    private: NotRequired[bool | None]
    """Whether only agents and agent managers see the message."""
    quickReplies: NotRequired[JsonObject | None]
    richText: NotRequired[JsonObject | None]
    text: NotRequired[str | None]


class WebhookAnswerTransfer(TypedDict):
    """The agent, the skill or both to transfer the conversation to."""

    agentId: NotRequired[str | None]
    skillId: NotRequired[str | None]


class WebhookChanges(TypedDict):
    """Changes to a webhook; absent members stay the same."""

    enabled: NotRequired[bool | None]
    """Whether the webhook is enabled."""
    filter: NotRequired[WebhookFilter | None]
    """Which events, from the events that were not read yet."""
    replies: NotRequired[bool | None]
    """Whether the receiver's answers are replies."""
    retries: NotRequired[list[float] | None]
    """Seconds between the attempts to deliver one event."""
    url: NotRequired[str | None]
    """The receiver's URL."""


class WebhookFilter(TypedDict):
    """Which events a webhook gets. An empty list does not filter."""

    connection: NotRequired[list[str]]
    """Ids of connections."""
    conversation: NotRequired[list[str]]
    """Ids of conversations."""
    type: NotRequired[list[str]]
    """Types, such as `message` or `tertulia.message`."""


class WebhookPage(TypedDict):
    """One page of a list."""

    incomplete: NotRequired[list[str]]
    """The nodes that did not answer in time, so that their items are missing; absent if there are none."""
    items: list[Webhook]
    nextCursor: NotRequired[str | None]
    """The cursor of the next page; null on the last page."""


class WebhookSecret(TypedDict):
    """A new secret."""

    overlapSeconds: NotRequired[int | None]
    """Seconds for which the previous secret also signs, at most 2,592,000; a day by default, and not at all for 0."""
    secret: NotRequired[str | None]
    """The new signing secret; a random secret by default."""


class WebhookTest(TypedDict):
    """A receiver's answer to a test event."""

    attempt: int
    """The number of the attempt for this event, from 1."""
    conversation: NotRequired[str | None]
    """The conversation, if the event belongs to one."""
    durationMs: int
    """The duration in milliseconds."""
    eventId: str
    """The event's id, which is the same in every attempt."""
    nextTry: NotRequired[str | None]
    """The earliest time of the next attempt; null if the event was delivered or given up."""
    outcome: str
    """The outcome: `delivered`, `redirected`, `client-error`, `server-error`, `timed-out`, `name-not-found`,
    `internal-address`, `unreachable`, `connection-lost` or `unreadable`; `unusable-reply` if the webhook has
    `replies` and the answer is not a valid reply."""
    status: NotRequired[int | None]
    """The status of the receiver's answer, if there was an answer."""
    time: str
    """When the attempt began; like `next_try` rounded to milliseconds, so that the two can be compared."""
    type: str
    """The type of the event."""
    answer: str
    """The beginning of the receiver's answer."""
    delivered: bool
    """Whether the receiver answered with a status from 200 to 299."""


class WrittenNote(TypedDict):
    """The outcome of writing a note."""

    key: str
    noteId: NotRequired[str | None]
    """The id with which the note can be replaced."""
    truncated: bool
    """Whether the note was cut."""
    truncatedText: NotRequired[str | None]
    """The remaining text of a cut note."""


AccountId: TypeAlias = str
"""A brand's account, also called site or brand id."""

AgentId: TypeAlias = str
"""An agent in the brand dialect: `{account}.{user}`, the "old id" of protocol §0.4."""

AgentState: TypeAlias = str
"""Which offers an agent gets. Usually one of `ONLINE`, `OCCUPIED`, `AWAY`, `BACK_SOON`, `OFFLINE`."""

BulkOperation: TypeAlias = Literal["close", "transfer"]
"""The operation on each conversation."""

ChannelType: TypeAlias = str
"""The medium of a dialog. Usually one of `MESSAGING`, `COBROWSE`, `LIVE_CHAT`."""

ChatState: TypeAlias = str
"""A participant's activity. Usually one of `ACTIVE`, `INACTIVE`, `GONE`, `COMPOSING`, `PAUSE`, `BACKGROUND`."""

CloseReason: TypeAlias = str
"""Who ended a conversation or dialog. Usually one of `CONSUMER`, `AGENT`, `TIMEOUT`, `SYSTEM`."""

ClosedBy: TypeAlias = Literal["platform", "us", "transport"]
"""Who ended a socket."""

CommandKey: TypeAlias = str
"""The caller's key of a command: a repeated key has its effect only once."""

CommandState: TypeAlias = Literal["queued", "in-flight", "unknown"]
"""A command's progress. A `queued` command can be cancelled."""

ConnectionHistory: TypeAlias = Literal["beginning", "first-seen"]
"""Where the history that becomes events begins."""

ConnectionId: TypeAlias = str
"""A connection's name: unique in its process, used in URLs, metrics and logs."""

ConnectionLogin: TypeAlias = Union[
    "PasswordLogin",
    "KeyLogin",
    "SessionLogin",
    "BearerLogin",
    "JwtLogin",
    "ConnectorAssertionLogin",
    "AssertionLogin",
    "ConnectorLogin",
    "ApplicationLogin",
]
"""The credentials of a connection, in one of the forms that its role accepts."""

ConnectionRole: TypeAlias = Literal["brand", "consumer", "connector", "intake"]
"""The role of a connection in conversations. A `connector` acts for many consumers. An `intake` only receives the
platform's webhooks."""

ConnectionState: TypeAlias = Literal[
    "idle",
    "logging_in",
    "waiting_to_log_in",
    "connecting",
    "verifying",
    "resuming",
    "ready",
    "waiting_to_reconnect",
    "stopping",
    "stopped",
    "failed",
    "moving",
]
"""The phase of a connection's session."""

ContentType: TypeAlias = str
"""The type of the body of a content event. Usually one of `text/plain`, `text/html`, `hosted/file`, `forms/secure-
invitation`, `forms/secure-submission`."""

ConversationId: TypeAlias = str
"""A conversation; also the id of its MAIN dialog."""

Credential: TypeAlias = Union[str, "EnvironmentVariable", "CredentialFile"]
"""A credential: the text itself, or a reference to an environment variable or a file with the text."""

CsatStatus: TypeAlias = str
"""How far a satisfaction survey was completed. Usually one of `FILLED`, `PARTIALLY_FILLED`, `SKIPPED`, `EMPTY`."""

DeadLetterId: TypeAlias = str
"""The id of a dead letter. Ids grow with time."""

DeadLetterKind: TypeAlias = Literal["state", "records", "answer", "record", "history", "command", "frame", "delivery"]
"""The kind of a dead letter, which decides what its bytes are."""

DefinedAgentState: TypeAlias = Literal["ONLINE", "OCCUPIED", "BACK_SOON", "AWAY", "OFFLINE"]
"""Which rings an agent gets."""

DelayType: TypeAlias = str
"""Why the response time does not run yet. Usually one of `NIGHT`, `WEEKEND`, `HOLIDAY`."""

DeliveryStatus: TypeAlias = str
"""The status of a message at its reader. Usually one of `ACCEPT`, `READ`, `ACCESS`, `NACK`, `ACTION`, `ENRICH`,
`VIEWED`, `ABORTED`, `ERROR`."""

DialogId: TypeAlias = str
"""A dialog within a conversation."""

DialogStatus: TypeAlias = str
"""Whether a dialog is open. Usually one of `OPEN`, `CLOSE`."""

DialogType: TypeAlias = str
"""The purpose of a dialog. Usually one of `MAIN`, `POST_SURVEY`, `AGENTS`, `OTHER`, `PRE_CONVERSATION_OPT_IN`."""

DisconnectReason: TypeAlias = Literal[
    "bad_content",
    "closed_by_platform",
    "closed_by_us",
    "connection_lost",
    "distrusted",
    "dead_peer",
    "lease_lost",
    "identity_expired",
    "policy_violation",
    "resume_failed",
    "resume_timed_out",
    "server_error",
    "token_rejected",
    "verify_refused",
    "verify_timed_out",
]
"""Why a socket that had opened has ended."""

Event: TypeAlias = Union[
    "ConversationEvent",
    "UpdateEvent",
    "MessageEvent",
    "MessageDeliveryEvent",
    "CloseEvent",
    "DialogEvent",
    "DialogCloseEvent",
    "BackToQueueEvent",
    "ConsumerStepUpEvent",
    "GroupChangeEvent",
    "SkillChangeEvent",
    "ManualEttrChangeEvent",
    "ParticipantAddedEvent",
    "ParticipantRemovedEvent",
    "ParticipantSuggestedEvent",
    "ParticipantSuggestedRemovedEvent",
    "ParticipantRoleChangeEvent",
    "TransferAgentEvent",
    "TransferSkillEvent",
    "TtrChangeEvent",
    "ChatStateEvent",
    "NotificationIgnoredEvent",
    "NotificationOutOfOrderEvent",
    "GapEvent",
    "RingEvent",
    "CommandSentEvent",
    "CommandFailedEvent",
    "ConversationRestartedEvent",
    "ConversationQuarantinedEvent",
    "ConnectionConnectedEvent",
    "ConnectionDisconnectedEvent",
    "ConnectionResumingEvent",
    "ConnectionResumedEvent",
    "ConnectionLackingEvent",
    "ConnectionWaitingEvent",
    "ConnectionIdentityLostEvent",
    "ConnectionFailedEvent",
]
"""An event, as a CloudEvents 1.0 object. The member `type` determines the schema."""

ExternalConsumerId: TypeAlias = str
"""A consumer's id at a connector, such as `whatsapp:15550100`."""

FailureReason: TypeAlias = Literal[
    "arbiters_keep_ending",
    "conversations_keep_failing",
    "credentials_refused",
    "not_maintained",
    "panicked",
]
"""Why a session gave up. Permanent: only its owner can restart it."""

GapData: TypeAlias = Union["SequenceGap", "LogGap"]
"""What is missing: messages of a dialog, or events of the log."""

IdentityLoss: TypeAlias = Literal["expired", "login_changed", "not_stored", "step_up_not_stored", "refused"]
"""Why an identity is lost."""

Json: TypeAlias = Any
"""Any JSON."""

JsonObject: TypeAlias = Dict[str, Any]
"""Any JSON object."""

MessageAudience: TypeAlias = str
"""Who may read a message. Usually one of `ALL`, `AGENTS_AND_MANAGERS`, `UNKNOWN`."""

MessageBody: TypeAlias = Union[str, "JsonObject"]
"""The body of a message: a string for text, an object for everything else."""

NumberOrText: TypeAlias = Union[int, str]
"""An id that the platform sends as a number or as text."""

ParticipantRole: TypeAlias = str
"""A participant's role in a dialog. Usually one of `CONSUMER`, `ASSIGNED_AGENT`, `AGENT`, `MANAGER`, `READER`,
`CONTROLLER`, `BRAND_BOT`."""

ParticipantStatus: TypeAlias = str
"""Whether a participant has joined. Usually one of `ACTIVE`, `SUGGESTED`, `REMOVED`."""

ProblemCode: TypeAlias = Literal[
    "ambiguous-connection",
    "backup-under-way",
    "bad-csat",
    "bad-key",
    "bad-range",
    "bad-rate",
    "bad-request",
    "bad-signature",
    "body-too-large",
    "body-too-slow",
    "cancelled",
    "closed-connection",
    "connection-exists",
    "conversation-locked",
    "conversation-quarantined",
    "dead-lettered",
    "dialog-closed",
    "file-empty",
    "file-incomplete",
    "file-size-mismatch",
    "file-too-large",
    "file-type-not-supported",
    "file-unreadable",
    "filter-too-long",
    "in-flight",
    "inbox-full",
    "internal",
    "internal-address",
    "invalid-connection",
    "invalid-overlap",
    "invalid-retries",
    "invalid-secret",
    "invalid-url",
    "job-ended",
    "key-in-use",
    "key-reused",
    "metadata-invalid",
    "metadata-too-many",
    "method-not-allowed",
    "moving",
    "no-condition",
    "no-consumer",
    "no-open-dialog",
    "nobody-there",
    "node-away",
    "not-a-participant",
    "not-a-websocket",
    "not-connected",
    "not-forwarded",
    "not-found",
    "not-json",
    "not-kept",
    "not-loaded",
    "not-multipart",
    "not-permitted",
    "not-quarantined",
    "not-ready",
    "not-replayable",
    "not-supported",
    "note-full",
    "note-of-another",
    "note-too-long",
    "nothing-kept",
    "outcome-unknown",
    "overloaded",
    "platform-rejected",
    "preview-too-large",
    "quick-replies-invalid",
    "rich-text-invalid",
    "rich-text-too-long",
    "same-agent",
    "same-consumer",
    "secret-not-shared",
    "snapshot-malformed",
    "step-up-under-way",
    "stopping",
    "storage-refused",
    "storage-unavailable",
    "store-unavailable",
    "suspended",
    "text-empty",
    "text-too-long",
    "timed-out",
    "too-many-at-once",
    "too-many-connections",
    "too-many-items",
    "too-many-jobs",
    "too-many-requests",
    "too-many-secrets",
    "too-many-streams",
    "too-many-tests",
    "too-many-webhooks",
    "unauthenticated",
    "unavailable",
    "unknown-agent-state",
    "unknown-command",
    "unknown-connection",
    "unknown-conversation",
    "unknown-dead-letter",
    "unknown-dialog",
    "unknown-file",
    "unknown-job",
    "unknown-node",
    "unknown-ring",
    "unknown-service",
    "unknown-webhook",
    "unordered-replies",
    "unwritable",
]
"""A stable code for the kind of error. Later versions may have more codes."""

RingHandling: TypeAlias = Literal["accept", "manual", "off"]
"""What happens to a ring: the service accepts it, a caller decides, or the connection does not receive rings."""

RingId: TypeAlias = str
"""An offer of a conversation to one agent: `{conversation}_{account}_{start ms}`."""

RingState: TypeAlias = str
"""The state of an offer to an agent. Usually one of `WAITING`, `ACCEPTED`, `REJECTED`, `EXPIRED`, `CANCELLED`,
`AUTO_ACCEPT`."""

Role: TypeAlias = Literal["brand", "consumer", "connector", "intake"]
"""The role of a connection on the platform, spelled as in the configuration."""

SkillId: TypeAlias = str
"""A skill; `-1` means no skill."""

Stage: TypeAlias = str
"""The stage of a conversation. Usually one of `OPEN`, `CLOSE`, `LOCKED`."""

SubscribedAgents: TypeAlias = Union["SubscribedAgentsWord", List[str]]
"""Whose conversations: `self` (the default), `all`, or the ids of agents."""

SubscribedAgentsWord: TypeAlias = Literal["self", "all"]
"""The login's own conversations, or those of all agents."""

SubscribedStage: TypeAlias = Literal["OPEN", "CLOSE", "LOCKED"]
"""A stage of conversations."""

TakeoverOutcome: TypeAlias = Literal["done", "closed", "failed"]
"""What happened to a conversation at a step-up."""

Timestamp: TypeAlias = int
"""A moment on the platform's clock, in milliseconds since the epoch."""

TtrType: TypeAlias = str
"""The urgency of a response. Usually one of `NORMAL`, `URGENT`, `PRIORITIZED`, `CUSTOM`."""

UserId: TypeAlias = str
"""A participant: a consumer's id, or the public id (PID, a UUID) of an agent."""

WaitReason: TypeAlias = Literal[
    "connection_lost",
    "credentials_refused",
    "logged_in_elsewhere",
    "login_held",
    "throttled",
    "token_refused",
    "unavailable",
]
"""Why a session waits."""
