"""One event of the stream."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from . import models
from .conversation import Conversation
from .errors import TertuliaError
from .gateway import Gateway
from .keys import DerivedKeys


class Event:
    """An event, and the conversation it is about.

        async for event in tertulia.events(type="message"):
            if event.consumer_text is not None:
                await event.reply("I heard you")
    """

    def __init__(self, gateway: Gateway, raw: models.Event, reader: str | None = None) -> None:
        self._gateway = gateway
        self._reader = reader
        self._conversation: Conversation | None = None
        self.raw = raw
        """The event as the service sent it: a union of typed dictionaries by `raw["type"]`."""
        self.id: str = raw["id"]
        """The cursor: a reader continues after this event with this id."""
        self.type: str = raw["type"]
        """The type, such as `tertulia.message`."""
        self.time: str = raw["time"]
        """When it happened, by RFC 3339."""
        self.connection: str | None = raw.get("connection")
        """The id of the connection; `None` for an event of the gateway itself."""
        self.conversation_id: str | None = raw.get("subject")
        """The id of the conversation; `None` for an event of a connection."""
        sequence = raw.get("sequence")
        self.sequence: int | None = None if sequence is None else int(sequence)
        """The number in the conversation, from 1, without holes; `None` for an event of a connection."""
        self.data = cast("dict[str, Any]", raw["data"])
        """What happened, in the form that the type has."""

    @property
    def message(self) -> models.Message | None:
        """The message, if the event is one."""
        return self.raw["data"] if self.raw["type"] == "tertulia.message" else None

    @property
    def consumer_text(self) -> str | None:
        """The text, if the event is a text message of the consumer."""
        message = self.message
        if message is None or message.get("role") != "CONSUMER":
            return None
        body = message["body"]
        return body if isinstance(body, str) else None

    @property
    def gap(self) -> models.GapData | None:
        """What is missing, if the event is a gap: messages that the platform could not provide, or events that the log no
        longer has."""
        return self.raw["data"] if self.raw["type"] == "tertulia.gap" else None

    @property
    def conversation(self) -> Conversation:
        """The conversation of the event, whose commands have keys that are derived from the event.

        Raises `TertuliaError` if the event has no conversation.
        """
        if self._conversation is None:
            if self.conversation_id is None:
                raise TertuliaError(f"event {self.id} of type {self.type} has no conversation")
            keys = DerivedKeys(self.id, self._reader)
            self._conversation = Conversation(
                self._gateway, self.conversation_id, connection=self.connection, keys=keys
            )
        return self._conversation

    async def reply(
        self,
        text: str,
        *,
        quick_replies: Mapping[str, Any] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
    ) -> models.PublishedMessage:
        """Sends a text in the conversation of the event, once, however often the event is handled within a day.

            await event.reply("Hello")
        """
        return await self.conversation.send_text(text, quick_replies=quick_replies, metadata=metadata)

    def __repr__(self) -> str:
        return f"Event(id={self.id!r}, type={self.type!r}, conversation_id={self.conversation_id!r})"


def parse_event(gateway: Gateway, data: str, reader: str | None = None) -> Event:
    """Returns the event of the stream's data.

    Raises `TertuliaError` if the data is not an event.
    """
    try:
        return Event(gateway, json.loads(data), reader)
    except (ValueError, KeyError, TypeError) as error:
        raise TertuliaError("the event stream has something that is not an event") from error
