"""The platform's other HTTP services, through the session of a connection."""

from __future__ import annotations

import json as encoding
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .gateway import Gateway
from .request import Request, path, query


@dataclass(frozen=True)
class PlatformAnswer:
    """The answer of a service, also if it is an error of the service."""

    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """The headers."""
    content: bytes
    """The body."""

    def json(self) -> Any:
        """Returns the body as JSON. Raises `ValueError` if it is not."""
        return encoding.loads(self.content)


class PlatformService:
    """One service by its name in the platform's discovery.

        service = tertulia.connection("bots-1").platform("accountConfigReadWrite")
        answer = await service.get("api/account/12345678/configuration/le-users/skills", params={"v": "2.0"})
    """

    def __init__(self, gateway: Gateway, connection: str, service: str) -> None:
        self._gateway = gateway
        self._path = path("v1", "connections", connection, "platform", service)

    async def request(
        self,
        method: str,
        target: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> PlatformAnswer:
        """Sends a request with any method to the path `target` of the service.

        A request that changes something is sent again only if it did not reach the service. Raises `ProblemError` if the
        gateway could not forward it; an error of the service itself is an answer.
        """
        request = Request(
            method.upper(),
            f"{self._path}/{target.lstrip('/')}",
            query(**dict(params or {})),
            json=json,
            content=content,
            headers=tuple((headers or {}).items()),
            is_forwarded=True,
        )
        answer = await self._gateway.answer(request)
        return PlatformAnswer(answer.status_code, dict(answer.headers), answer.content)

    async def get(self, target: str, *, params: Mapping[str, Any] | None = None) -> PlatformAnswer:
        """Reads a path of the service, as `request` does."""
        return await self.request("GET", target, params=params)

    async def post(self, target: str, *, params: Mapping[str, Any] | None = None, json: Any = None) -> PlatformAnswer:
        """Sends JSON to a path of the service, as `request` does."""
        return await self.request("POST", target, params=params, json=json)
