"""The client of one service."""
# Written by generate/write_sync.py from tertulia/client.py; a test compares both.

from __future__ import annotations

import os
import pathlib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import httpx

from .. import models
from . import positions
from .administration import BulkJob, DeadLetter, Node, Ring, Webhook
from .connection import Connection
from .conversation import Conversation
from ..cursors import Cursor, MemoryCursor
from .event import Event, parse_event
from .gateway import Gateway
from ..keys import RandomKeys, check_reader
from ..request import Request, given, path, query
from .stream import EventStream
from ..version import VERSION



class Tertulia:
    """The service at a URL, for the holder of a token.

        with Tertulia("http://127.0.0.1:8080", token) as tertulia:
            for event in tertulia.events(connection="bots-1", type="message"):
                print(event.data)

    `url` and `token` are those of the environment (`TERTULIA_URL`, `TERTULIA_TOKEN`) by default; a service on loopback may
    need no token. A call that fails for a reason that passes is repeated until `deadline` seconds have passed, where that
    is safe; one attempt waits `attempt_timeout` seconds for an answer. `http` is a client of your own, for example with
    other certificates; you close it yourself.

    Every method raises `ProblemError` if the service refuses, and `NoAnswerError` if there is no answer until the
    deadline. Lists are iterators that read page by page, of `limit` rows each (1 to 1,000, 100 by default).
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        deadline: float = 120.0,
        attempt_timeout: float = 40.0,
        http: httpx.Client | None = None,
    ) -> None:
        chosen = url or os.environ.get("TERTULIA_URL")
        if chosen is None:
            raise ValueError("no URL of the service: pass url, or set TERTULIA_URL")
        if token is None:
            token = os.environ.get("TERTULIA_TOKEN")
        self._is_ours = http is None
        if http is None:
            limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
            http = httpx.Client(limits=limits, headers={"user-agent": f"tertulia-python/{VERSION}"})
        self._gateway = Gateway(http, chosen, token, deadline=deadline, attempt_timeout=attempt_timeout)
        self._keys = RandomKeys()

    def __enter__(self) -> Tertulia:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections to the service."""
        if self._is_ours:
            self._gateway.http.close()

    # Events.

    def events(
        self,
        *,
        connection: str | Sequence[str] | None = None,
        conversation: str | Sequence[str] | None = None,
        type: str | Sequence[str] | None = None,
        cursor: str | Cursor | None = None,
        start: str = "latest",
        name: str | None = None,
        give_up_after: float | None = None,
    ) -> Iterator[Event]:
        """Yields events as they happen, without an end, and without a hole if the connection is lost meanwhile.

        `connection`, `conversation` and `type` filter; a type may be short (`message`) or full (`tertulia.message`).
        `cursor` is the id of the last event that is known, or an object that keeps it, such as `FileCursor`. Such an
        object gets the id of an event when the next one is asked for, so an event whose handling was broken off comes
        again. `start` is where to begin without an id: `latest`, `earliest`, or the id of an event. Events that the log no
        longer has are replaced by an event with a `gap`. `name` (1 to 16 characters) is put before the keys of the events'
        commands; two readers that answer the same events of a connection need different names.

        Without a stream, opens it again until it is there, or for `give_up_after` seconds; then raises `NoAnswerError`.
        Raises `ProblemError` if the service refuses the stream.

            for event in tertulia.events(type="message", cursor=FileCursor("cursor")):
                event.reply("I heard you")
        """
        kept: Cursor = MemoryCursor(cursor) if cursor is None or isinstance(cursor, str) else cursor
        filters = query(connection=connection, conversation=conversation, type=type)
        reader = check_reader(name)
        after = positions.load(kept) or start
        stream = EventStream(self._gateway, filters, after, give_up_after=give_up_after)
        for block in stream.blocks():
            if block.data is not None:
                yield parse_event(self._gateway, block.data, reader)
            if block.cursor is not None:
                positions.save(kept, block.cursor)

    def event_page(
        self,
        *,
        after: str = "earliest",
        limit: int | None = None,
        connection: str | Sequence[str] | None = None,
        conversation: str | Sequence[str] | None = None,
        type: str | Sequence[str] | None = None,
    ) -> models.EventPage:
        """Returns events that are in the log already, from 1 to 1,000 of them, and the cursor of the next page.

        There are no more events yet if the cursor is the same as `after`.
        """
        parameters = query(after=after, limit=limit, connection=connection, conversation=conversation, type=type)
        request = Request("GET", path("v1", "events"), parameters, headers=(("accept", "application/json"),))
        return self._gateway.json(models.EventPage, request)

    # Connections and conversations.

    def connection(self, id: str) -> Connection:
        """Returns the connection with this id, without a request."""
        return Connection(self._gateway, id)

    def connections(self, *, limit: int | None = None) -> Iterator[models.Connection]:
        """Yields the connections."""
        return self._gateway.rows(models.Connection, path("v1", "connections"), limit=limit)

    def add_connection(
        self, definition: models.ConnectionDefinition, *, key: str | None = None
    ) -> models.AddedConnection:
        """Adds a connection while the service runs."""
        return self._gateway.json(models.AddedConnection, self._post("connections", definition, key))

    def conversation(self, id: str, *, connection: str | None = None) -> Conversation:
        """Returns the conversation with this id, without a request. `connection` is needed where several see it."""
        return Conversation(self._gateway, id, connection=connection)

    def conversations(
        self,
        *,
        connection: str | None = None,
        stage: str | None = None,
        skill: str | None = None,
        agent: str | None = None,
        consumer: str | None = None,
        text: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.ConversationInBrief]:
        """Yields the conversations that the service has: by stage (`OPEN`, `CLOSE`, `LOCKED`), skill, agent, consumer, or
        a text in these."""
        return self._gateway.rows(
            models.ConversationInBrief,
            path("v1", "conversations"),
            connection=connection,
            stage=stage,
            skill=skill,
            agent=agent,
            consumer=consumer,
            text=text,
            limit=limit,
        )

    def ring(self, id: str, *, connection: str | None = None) -> Ring:
        """Returns the ring with this id, without a request."""
        return Ring(self._gateway, id, connection=connection)

    def rings(self, *, connection: str | None = None, limit: int | None = None) -> Iterator[models.Ring]:
        """Yields the conversations that are offered."""
        return self._gateway.rows(models.Ring, path("v1", "rings"), connection=connection, limit=limit)

    # Webhooks.

    def webhook(self, id: str) -> Webhook:
        """Returns the webhook with this id, without a request."""
        return Webhook(self._gateway, id)

    def webhooks(self, *, limit: int | None = None) -> Iterator[models.Webhook]:
        """Yields the webhooks."""
        return self._gateway.rows(models.Webhook, path("v1", "webhooks"), limit=limit)

    def create_webhook(self, webhook: models.NewWebhook, *, key: str | None = None) -> models.CreatedWebhook:
        """Creates a webhook, and returns it with its secret, which nothing shows again."""
        return self._gateway.json(models.CreatedWebhook, self._post("webhooks", webhook, key))

    # Bulk jobs.

    def bulk_job(self, id: str) -> BulkJob:
        """Returns the bulk job with this id, without a request."""
        return BulkJob(self._gateway, id)

    def bulk_jobs(self, *, limit: int | None = None) -> Iterator[models.BulkJob]:
        """Yields the bulk jobs."""
        return self._gateway.rows(models.BulkJob, path("v1", "bulk"), limit=limit)

    def start_bulk_job(
        self,
        operation: models.BulkOperation,
        filter: models.BulkFilter,
        *,
        arguments: models.BulkArguments | None = None,
        rate: int | None = None,
        key: str | None = None,
    ) -> models.BulkJob:
        """Starts a job that closes or transfers all conversations of a filter, `rate` of them per second (1 to 100).

            tertulia.start_bulk_job("close", {"updatedBefore": "2026-11-01T00:00:00Z"})
        """
        order = given(operation=operation, filter=filter, arguments=arguments, rate=rate)
        return self._gateway.json(models.BulkJob, self._post("bulk", order, key))

    def try_bulk_job(
        self,
        operation: models.BulkOperation,
        filter: models.BulkFilter,
        *,
        arguments: models.BulkArguments | None = None,
    ) -> models.BulkDryRun:
        """Returns what `start_bulk_job` would act on, and changes nothing."""
        order = given(operation=operation, filter=filter, arguments=arguments, dryRun=True)
        return self._gateway.json(models.BulkDryRun, self._post("bulk", order, None))

    # Supervision.

    def dead_letter(self, id: str) -> DeadLetter:
        """Returns the dead letter with this id, without a request."""
        return DeadLetter(self._gateway, id)

    def dead_letters(
        self, *, cause: str | None = None, limit: int | None = None
    ) -> Iterator[models.DeadLetterInBrief]:
        """Yields what could not be handled."""
        return self._gateway.rows(models.DeadLetterInBrief, path("v1", "dead-letters"), cause=cause, limit=limit)

    def dead_letter_causes(self, *, limit: int | None = None) -> Iterator[models.DeadLetterCause]:
        """Yields the causes of dead letters, each with a count."""
        return self._gateway.rows(models.DeadLetterCause, path("v1", "dead-letters", "causes"), limit=limit)

    def discard_dead_letters(self, cause: str) -> int:
        """Deletes the dead letters of a cause, and returns how many the last attempt deleted."""
        request = Request("DELETE", path("v1", "dead-letters"), query(cause=cause))
        return (self._gateway.json(models.DiscardedDeadLetters, request))["discarded"]

    def supervision(self) -> models.Supervision:
        """Returns restarts, quarantines and failed connections."""
        return self._gateway.json(models.Supervision, Request("GET", path("v1", "supervision")))

    def overview(self, *, history: bool | None = None) -> models.Overview:
        """Returns the service in numbers, with its last hour and its notable events unless `history` is false."""
        return self._gateway.json(
            models.Overview, Request("GET", path("v1", "overview"), query(history=history))
        )

    def node(self, id: str) -> Node:
        """Returns the node with this id, without a request."""
        return Node(self._gateway, id)

    def nodes(self) -> models.Nodes:
        """Returns the nodes, and the last duties that moved between them."""
        return self._gateway.json(models.Nodes, Request("GET", path("v1", "nodes")))

    def rebalance(self, *, key: str | None = None) -> models.Rebalanced:
        """Ends draining at all nodes."""
        return self._gateway.json(models.Rebalanced, self._post("nodes/rebalance", None, key))

    # The service.

    def health(self) -> models.Health:
        """Returns whether the process is alive. Asks once."""
        return self._gateway.json(models.Health, Request("GET", path("healthz"), is_single=True))

    def readiness(self) -> models.Readiness:
        """Returns that the service is ready. Asks once, and raises `UnavailableError` if it is not ready."""
        return self._gateway.json(models.Readiness, Request("GET", path("readyz"), is_single=True))

    def metrics(self) -> str:
        """Returns the metrics in the text format of Prometheus."""
        return (self._gateway.answer(Request("GET", path("metrics")))).text

    def openapi(self) -> dict[str, Any]:
        """Returns the OpenAPI document of the service."""
        return cast("dict[str, Any]", self._gateway.value(Request("GET", path("openapi.json"))))

    def backup(self, file: str | os.PathLike[str], *, silence: float = 300.0) -> None:
        """Copies the store into a new tar archive, which is there only if it is complete; needs the scope `admin`.

        Raises `httpx.RequestError` if the copy is broken off or pauses longer than `silence` seconds.
        """
        target = pathlib.Path(file)
        part = target.with_name(f"{target.name}.part")
        try:
            with self._gateway.stream(Request("POST", path("v1", "backup")), silence=silence) as answer:
                with part.open("wb") as copy:
                    for piece in answer.iter_raw():
                        copy.write(piece)
                    copy.flush()
                    os.fsync(copy.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _post(self, target: str, body: Mapping[str, Any] | None, key: str | None) -> Request:
        return Request("POST", f"/v1/{target}", json=body, key=key or self._keys.next(target))
