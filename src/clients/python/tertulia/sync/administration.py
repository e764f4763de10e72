"""Rings, webhooks, bulk jobs, dead letters and nodes, each by its id."""
# Written by generate/write_sync.py from tertulia/administration.py; a test compares both.

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from .. import models
from .gateway import Gateway
from ..keys import RandomKeys
from ..request import Request, given, path, query

T = TypeVar("T")


class _Resource:
    """Something with an id below a path."""

    def __init__(self, gateway: Gateway, kind: str, id: str) -> None:
        self._gateway = gateway
        self._path = path("v1", kind, id)
        self._keys = RandomKeys()
        self.id = id
        """The id."""

    def _act(self, command: str, key: str | None, *, body: Any = None, **parameters: Any) -> Request:
        chosen = key or self._keys.next(command)
        return Request("POST", f"{self._path}/{command}", query(**parameters), json=body, key=chosen)


class Ring(_Resource):
    """A conversation that is offered to an agent."""

    def __init__(self, gateway: Gateway, id: str, *, connection: str | None = None) -> None:
        super().__init__(gateway, "rings", id)
        self.connection = connection
        """The id of the connection; `None` if only one connection has the ring."""

    def accept(self, *, key: str | None = None) -> models.AcceptedRing:
        """Accepts the conversation."""
        return self._gateway.json(models.AcceptedRing, self._act("accept", key, connection=self.connection))

    def reject(self, *, key: str | None = None) -> None:
        """Passes the conversation on."""
        self._gateway.answer(self._act("reject", key, connection=self.connection))


class Webhook(_Resource):
    """A receiver of events."""

    def __init__(self, gateway: Gateway, id: str) -> None:
        super().__init__(gateway, "webhooks", id)

    def get(self) -> models.Webhook:
        """Returns the webhook."""
        return self._gateway.json(models.Webhook, Request("GET", self._path))

    def change(self, changes: models.WebhookChanges) -> models.Webhook:
        """Changes the given members, and returns the webhook.

        Sent again only if it did not reach the service.
        """
        return self._gateway.json(models.Webhook, Request("PATCH", self._path, json=changes))

    def delete(self) -> None:
        """Deletes the webhook."""
        self._gateway.answer(Request("DELETE", self._path))

    def deliveries(self, *, limit: int | None = None) -> Iterator[models.Delivery]:
        """Yields the newest attempts to deliver. `limit` is the number for each request, from 1 to 1,000."""
        return self._gateway.rows(models.Delivery, f"{self._path}/deliveries", limit=limit)

    def rotate_secret(
        self, *, secret: str | None = None, overlap_seconds: int | None = None, key: str | None = None
    ) -> models.NewWebhookSecret:
        """Changes the signing secret, to a random one by default. The old one also signs for a day by default."""
        body = given(secret=secret, overlapSeconds=overlap_seconds)
        return self._gateway.json(models.NewWebhookSecret, self._act("secret", key, body=body))

    def test(self, *, key: str | None = None) -> models.WebhookTest:
        """Sends a `tertulia.test` event, and returns what the receiver answered."""
        return self._gateway.json(models.WebhookTest, self._act("test", key))


class BulkJob(_Resource):
    """A job that closes or transfers many conversations."""

    def __init__(self, gateway: Gateway, id: str) -> None:
        super().__init__(gateway, "bulk", id)

    def get(self) -> models.BulkJob:
        """Returns the job's state and progress."""
        return self._gateway.json(models.BulkJob, Request("GET", self._path))

    def items(self, *, outcome: str | None = None, limit: int | None = None) -> Iterator[models.BulkItem]:
        """Yields the job's conversations with their outcomes: `left`, `done`, `refused` or `unknown`."""
        return self._gateway.rows(models.BulkItem, f"{self._path}/items", outcome=outcome, limit=limit)

    def pause(self, *, key: str | None = None) -> models.BulkJob:
        """Pauses the job."""
        return self._gateway.json(models.BulkJob, self._act("pause", key))

    def resume(self, *, key: str | None = None) -> models.BulkJob:
        """Continues a paused job."""
        return self._gateway.json(models.BulkJob, self._act("resume", key))

    def cancel(self, *, key: str | None = None) -> models.BulkJob:
        """Ends the job before the conversations that are left."""
        return self._gateway.json(models.BulkJob, self._act("cancel", key))


class DeadLetter(_Resource):
    """Something that could not be handled: a notification, a command or a delivery."""

    def __init__(self, gateway: Gateway, id: str) -> None:
        super().__init__(gateway, "dead-letters", id)

    def get(self) -> models.DeadLetter:
        """Returns the dead letter with its content."""
        return self._gateway.json(models.DeadLetter, Request("GET", self._path))

    def replay(self, *, key: str | None = None) -> None:
        """Handles it again."""
        self._gateway.answer(self._act("replay", key))

    def discard(self) -> None:
        """Deletes it."""
        self._gateway.answer(Request("DELETE", self._path))


class Node(_Resource):
    """A node of the service."""

    def __init__(self, gateway: Gateway, id: str) -> None:
        super().__init__(gateway, "nodes", id)

    def get(self) -> models.NodeWithMoves:
        """Returns the node, its duties, and its last moves."""
        return self._gateway.json(models.NodeWithMoves, Request("GET", self._path))

    def drain(self, *, key: str | None = None) -> None:
        """Lets the node hand over all it has."""
        self._gateway.answer(self._act("drain", key))
