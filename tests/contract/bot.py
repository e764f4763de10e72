"""A bot that uses the generated client. It is only type-checked."""

from tertulia_client import AuthenticatedClient
from tertulia_client.api.conversations import get_conversation, list_conversations, send_message
from tertulia_client.api.events import read_events
from tertulia_client.models import EventPage, MessageEvent, NewMessage, Problem


def reply(client: AuthenticatedClient, event: MessageEvent) -> int | None:
    message = event.data
    if message.role != "CONSUMER" or not isinstance(message.body, str):
        return None
    conversation = event.subject
    if not isinstance(conversation, str):
        return None
    body = NewMessage(text=f"I heard {message.body}", dialog=message.dialog_id)
    sent = send_message.sync(conversation, client=client, body=body, idempotency_key=event.id)
    if sent is None or isinstance(sent, Problem):
        raise RuntimeError(sent.code if sent else "no answer")
    return sent.sequence if isinstance(sent.sequence, int) else None


def stages(client: AuthenticatedClient) -> list[str]:
    page = list_conversations.sync(client=client, limit=10)
    if page is None or isinstance(page, Problem):
        return []
    found = (get_conversation.sync(one.conversation_id, client=client) for one in page.items)
    return [str(one.stage) for one in found if one is not None and not isinstance(one, Problem)]
