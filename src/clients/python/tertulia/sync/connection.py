"""One connection: its session, its agent, and the platform behind it."""
# Written by generate/write_sync.py from tertulia/connection.py; a test compares both.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import models
from .conversation import Conversation
from .gateway import Gateway
from ..keys import RandomKeys
from .platform_service import PlatformService
from ..request import Request, given, path, query


class Connection:
    """A connection of the service. Making the object sends nothing.

        connection = tertulia.connection("bots-1")
        connection.set_agent_state("ONLINE")

    Every method raises `ProblemError` if the service refuses, and `NoAnswerError` if there is no answer until the
    deadline of the client.
    """

    def __init__(self, gateway: Gateway, id: str) -> None:
        self._gateway = gateway
        self._path = path("v1", "connections", id)
        self._keys = RandomKeys()
        self.id = id
        """The connection's id."""

    def get(self) -> models.Connection:
        """Returns the connection: its state, since when, what it lacks, and counts."""
        return self._gateway.json(models.Connection, Request("GET", self._path))

    def remove(self) -> None:
        """Removes a connection that was added while the service runs."""
        self._gateway.answer(Request("DELETE", self._path))

    def conversation(self, id: str) -> Conversation:
        """Returns a conversation of this connection."""
        return Conversation(self._gateway, id, connection=self.id)

    def set_agent_state(self, agent_state: str, *, key: str | None = None) -> models.AgentAvailability:
        """Sets the agent's state: `ONLINE`, `OCCUPIED`, `BACK_SOON`, `AWAY` or `OFFLINE`."""
        request = self._act("PUT", "agent-state", {"agentState": agent_state}, key)
        return self._gateway.json(models.AgentAvailability, request)

    def open_conversation(
        self,
        *,
        skill_id: str | None = None,
        ttr_type: str | None = None,
        context: Mapping[str, Any] | None = None,
        campaign_info: Mapping[str, Any] | None = None,
        consumer: models.ConnectorConsumer | None = None,
        key: str | None = None,
    ) -> Conversation:
        """Opens a conversation as a consumer, and returns it. `consumer` is only for a connector.

            conversation = tertulia.connection("someone").open_conversation()
        """
        body = given(
            skillId=skill_id, ttrType=ttr_type, context=context, campaignInfo=campaign_info, consumer=consumer
        )
        request = self._act("POST", "conversations", body, key)
        opened = self._gateway.json(models.OpenedConversation, request)
        return self.conversation(opened["conversationId"])

    def load_conversation(self, snapshot: models.Snapshot, *, key: str | None = None) -> Conversation:
        """Loads a conversation from its snapshot, and returns it; only for the roles `connector` and `intake`."""
        chosen = key or self._keys.next("load")
        target = path("v1", "conversations", "load")
        request = Request("POST", target, query(connection=self.id), json=snapshot, key=chosen)
        loaded = self._gateway.json(models.LoadedConversation, request)
        return self.conversation(loaded["conversationId"])

    def send_request(
        self,
        type: str,
        body: Mapping[str, Any],
        *,
        headers: Sequence[Mapping[str, Any]] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        key: str | None = None,
    ) -> Any:
        """Sends any request of the platform's protocol, and returns the body of its answer.

            clock = connection.send_request("GetClock", {})
        """
        members = given(type=type, body=dict(body), headers=headers, metadata=metadata)
        return self._gateway.value(self._act("POST", "requests", members, key))

    def step_up(self, connector_id: str, code: str, *, key: str | None = None) -> models.SteppedUp:
        """Makes an anonymous consumer known, by an authorisation code or a signed JWT."""
        request = self._act("POST", "step-up", {"connectorId": connector_id, "code": code}, key)
        return self._gateway.json(models.SteppedUp, request)

    def restart(self, *, key: str | None = None) -> None:
        """Starts the connection again, also one that has failed."""
        self._gateway.answer(self._act("POST", "restart", None, key))

    def move(self, node: str, *, key: str | None = None) -> None:
        """Moves the connection to another node."""
        self._gateway.answer(self._act("POST", "move", {"node": node}, key))

    def platform(self, service: str) -> PlatformService:
        """Returns another service of the platform, which sees the token of this connection's login.

            skills = connection.platform("accountConfigReadWrite")
        """
        return PlatformService(self._gateway, self.id, service)

    def receive_webhook(self, body: bytes, *, signature: str) -> None:
        """Hands on a webhook of the platform: its body as it came, and the header `x-liveperson-signature`."""
        headers = (("content-type", "application/json"), ("x-liveperson-signature", signature))
        self._gateway.answer(Request("POST", path("v1", "intake", self.id), content=body, headers=headers))

    def _act(self, method: str, command: str, body: Any, key: str | None) -> Request:
        return Request(method, f"{self._path}/{command}", json=body, key=key or self._keys.next(command))
