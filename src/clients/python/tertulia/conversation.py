"""One conversation: its commands and its state."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar

from . import models
from .errors import KeyReusedError
from .gateway import Gateway
from .keys import Keys, RandomKeys
from .request import Request, Upload, given, path, query

T = TypeVar("T")


class Conversation:
    """A conversation of one connection. Making the object sends nothing.

        conversation = tertulia.conversation(conversation_id, connection="bots-1")
        await conversation.send_text("Hello")

    Each command takes a `key`: the same key and arguments act once within a day. Without it, the call makes a key of its
    own, and repeats the command under this key until its deadline. Every method raises `ProblemError` if the service
    refuses, and `NoAnswerError` if there is no answer until the deadline of the client.

    The conversation of an event derives its keys from the event, so that a handler that runs again repeats nothing. A
    command that such a handler gave before with other arguments, such as a text that is worded differently this time, is
    not carried out again.
    """

    def __init__(self, gateway: Gateway, id: str, *, connection: str | None = None, keys: Keys | None = None) -> None:
        self._gateway = gateway
        self._path = path("v1", "conversations", id)
        self._keys: Keys = RandomKeys() if keys is None else keys
        self.id = id
        """The conversation's id."""
        self.connection = connection
        """The id of the connection; `None` if only one connection sees the conversation."""

    async def get(self) -> models.Conversation:
        """Returns all members of the conversation. Times are in milliseconds since the epoch."""
        return await self._gateway.json(models.Conversation, Request("GET", self._path, self._query()))

    async def messages(
        self,
        *,
        dialog: str | None = None,
        sequence_min: int | None = None,
        sequence_max: int | None = None,
        max_quantity: int | None = None,
    ) -> list[models.Message]:
        """Returns messages of a dialog in their order; of the open dialog by default.

        Both bounds are inclusive, from 0.
        """
        parameters = self._query(
            dialog=dialog, sequenceMin=sequence_min, sequenceMax=sequence_max, maxQuantity=max_quantity
        )
        history = await self._gateway.json(
            models.MessageHistory, Request("GET", f"{self._path}/messages", parameters)
        )
        return history["items"]

    async def send_text(
        self,
        text: str,
        *,
        private: bool = False,
        dialog: str | None = None,
        quick_replies: Mapping[str, Any] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        key: str | None = None,
    ) -> models.PublishedMessage:
        """Sends a text, and returns its sequence in the dialog.

        `private` hides the text from the consumer. The sequence is absent if the platform did not report it, and if an
        earlier run of the same handler sent another text.

            await conversation.send_text("Hello")
        """
        body = given(
            text=text, private=private or None, dialog=dialog, quickReplies=quick_replies, metadata=metadata
        )
        return await self._command(models.PublishedMessage, "messages", body, key, _no_sequence)

    async def send_rich_text(
        self,
        rich_text: Mapping[str, Any],
        *,
        private: bool = False,
        dialog: str | None = None,
        quick_replies: Mapping[str, Any] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        key: str | None = None,
    ) -> models.PublishedMessage:
        """Sends structured content, and returns its sequence in the dialog, as `send_text` does.

            await conversation.send_rich_text({"type": "text", "text": "Hello"})
        """
        body = given(
            richText=rich_text, private=private or None, dialog=dialog, quickReplies=quick_replies, metadata=metadata
        )
        return await self._command(models.PublishedMessage, "messages", body, key, _no_sequence)

    async def upload_file(
        self,
        file: str | pathlib.Path | bytes,
        *,
        name: str | None = None,
        media_type: str | None = None,
        caption: str | None = None,
        dialog: str | None = None,
        key: str | None = None,
    ) -> models.PublishedMessage:
        """Sends a file of at most 3 MiB: JPG, PNG, GIF, PDF, DOCX, PPTX or XLSX, by its name or else its media type.

        `file` is a path, or the content with a `name`.

            await conversation.upload_file("offer.pdf", caption="Our offer")
        """
        content = file if isinstance(file, bytes) else pathlib.Path(file).read_bytes()
        chosen = name or ("file" if isinstance(file, bytes) else pathlib.Path(file).name)
        upload = Upload(chosen, content, media_type, given(caption=caption, dialog=dialog))
        return await self._command(models.PublishedMessage, "files", None, key, _no_sequence, upload=upload)

    async def download_file(self, file: str) -> bytes:
        """Returns the content of a file that was sent in the conversation; `file` is the path in the message's body."""
        answer = await self._gateway.answer(Request("GET", f"{self._path}/files", self._query(path=file)))
        return answer.content

    async def join(self, role: str, *, dialog: str | None = None, key: str | None = None) -> models.AcceptedCommand:
        """Lets the connection's agent take part, for example as `AGENT`, `MANAGER` or `READER`."""
        return await self._accept("join", given(role=role, dialog=dialog), key)

    async def leave(self, *, dialog: str | None = None, key: str | None = None) -> models.AcceptedCommand:
        """Lets the connection's agent leave."""
        return await self._accept("leave", given(dialog=dialog), key)

    async def transfer(
        self, *, skill_id: str | None = None, agent_id: str | None = None, key: str | None = None
    ) -> models.AcceptedCommand:
        """Hands the conversation over to a skill, an agent (`account.user`, or the user alone), or an agent of a skill."""
        return await self._accept("transfer", given(skillId=skill_id, agentId=agent_id), key)

    async def close(
        self, *, survey: bool = True, dialog: str | None = None, key: str | None = None
    ) -> models.AcceptedCommand:
        """Closes the conversation, or only a dialog. `survey` is whether the account's survey may start."""
        return await self._accept("close", given(survey=survey, dialog=dialog), key)

    async def set_csat(
        self,
        rate: int,
        *,
        resolved: bool | None = None,
        status: str | None = None,
        key: str | None = None,
    ) -> models.AcceptedCommand:
        """Gives the consumer's satisfaction, from 0 to 5, and whether the issue was resolved."""
        body = given(csatRate=rate, csatResolutionConfirmation=resolved, csatStatus=status)
        return await self._accept("csat", body, key)

    async def set_ttr(
        self, ttr_type: str, *, seconds: int | None = None, key: str | None = None
    ) -> models.AcceptedCommand:
        """Sets how soon an answer is wanted: `NORMAL`, `URGENT`, `PRIORITIZED`, or `CUSTOM` with seconds."""
        return await self._accept("ttr", given(ttrType=ttr_type, value=seconds), key)

    async def set_manual_ettr(self, time: int, *, key: str | None = None) -> models.AcceptedCommand:
        """Sets the deadline of the answer, in milliseconds since the epoch."""
        return await self._accept("manual-ettr", {"time": time}, key)

    async def set_note(
        self,
        content: str,
        *,
        note_id: str | None = None,
        agent_id: str | None = None,
        name: str | None = None,
        is_auto_summary: bool | None = None,
        truncate: bool | None = None,
        key: str | None = None,
    ) -> models.WrittenNote:
        """Writes an agent's note beside those of others; with `note_id`, replaces this note."""
        body = given(
            noteContent=content,
            noteId=note_id,
            agentId=agent_id,
            name=name,
            isAutoSummary=is_auto_summary,
            truncateEnabled=truncate,
        )
        return await self._command(models.WrittenNote, "note", body, key, _not_truncated)

    async def mark_read(
        self,
        sequences: Sequence[int],
        *,
        dialog: str | None = None,
        metadata: Sequence[Any] | None = None,
        key: str | None = None,
    ) -> models.AcceptedCommand:
        """Marks messages as read."""
        body = given(sequences=list(sequences), dialog=dialog, metadata=metadata)
        return await self._accept("read", body, key)

    async def mark_accepted(
        self,
        sequences: Sequence[int],
        *,
        dialog: str | None = None,
        metadata: Sequence[Any] | None = None,
        key: str | None = None,
    ) -> models.AcceptedCommand:
        """Marks messages as received."""
        body = given(sequences=list(sequences), dialog=dialog, metadata=metadata)
        return await self._accept("accept", body, key)

    async def set_chat_state(
        self, chat_state: str, *, dialog: str | None = None, key: str | None = None
    ) -> models.AcceptedCommand:
        """Shows what this side does: `COMPOSING` while it types, `PAUSE`, `ACTIVE`, `INACTIVE`, `GONE`, `BACKGROUND`."""
        return await self._accept("chat-state", given(chatState=chat_state, dialog=dialog), key)

    async def take_over_consumer(self, new_consumer_user_id: str, *, key: str | None = None) -> models.AcceptedCommand:
        """Gives the conversation to another identity of the consumer."""
        return await self._accept("consumer-takeover", {"newConsumerUserId": new_consumer_user_id}, key)

    def waiting_commands(self, *, limit: int | None = None) -> AsyncIterator[models.WaitingCommand]:
        """Yields the commands that wait. `limit` is the number for each request, from 1 to 1,000."""
        return self._gateway.rows(
            models.WaitingCommand, f"{self._path}/commands", connection=self.connection, limit=limit
        )

    async def cancel_command(self, key: str) -> None:
        """Cancels a command that was not sent. Raises `ConflictError` (`in-flight`) if it was or may have been sent."""
        target = path("v1", "conversations", self.id, "commands", key)
        await self._gateway.answer(Request("DELETE", target, self._query()))

    async def snapshot(self) -> models.Snapshot:
        """Returns the conversation in a form that another service of the same version can load."""
        return await self._gateway.json(models.Snapshot, Request("GET", f"{self._path}/snapshot", self._query()))

    async def unload(self, *, key: str | None = None) -> models.LoadedConversation:
        """Takes a loaded conversation out of the service."""
        request = Request("POST", f"{self._path}/unload", self._query(), key=key or self._keys.next("unload"))
        return await self._gateway.json(models.LoadedConversation, request)

    async def release(self, *, key: str | None = None) -> None:
        """Lets a conversation in quarantine continue."""
        chosen = key or self._keys.next("release")
        await self._gateway.answer(Request("POST", f"{self._path}/release", self._query(), key=chosen))

    async def _accept(self, command: str, body: Mapping[str, Any], key: str | None) -> models.AcceptedCommand:
        return await self._command(models.AcceptedCommand, command, body, key, _accepted)

    async def _command(
        self,
        shape: type[T],
        command: str,
        body: Mapping[str, Any] | None,
        key: str | None,
        earlier: Callable[[str], T],
        *,
        upload: Upload | None = None,
    ) -> T:
        """Gives a command. `earlier` makes the answer if an earlier run of the handler gave it with other arguments."""
        chosen = key or self._keys.next(command)
        target = f"{self._path}/{command}"
        request = Request("POST", target, self._query(), json=body, upload=upload, key=chosen)
        try:
            return await self._gateway.json(shape, request)
        except KeyReusedError:
            if key is None and self._keys.is_derived:
                return earlier(chosen)
            raise

    def _query(self, **parameters: Any) -> tuple[tuple[str, str], ...]:
        return query(connection=self.connection, **parameters)


def _accepted(key: str) -> models.AcceptedCommand:
    return {"key": key}


def _no_sequence(key: str) -> models.PublishedMessage:
    return {}


def _not_truncated(key: str) -> models.WrittenNote:
    return {"key": key, "truncated": False}
