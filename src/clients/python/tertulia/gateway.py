"""Sends requests to the gateway, and repeats them where that is safe."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any, TypeVar, cast

import httpx

from .errors import NoAnswerError, ProblemError, TertuliaError, problem_error
from .request import Request, query
from .retries import Answer, Failure, may_repeat, retry_after, wait_before

T = TypeVar("T")

SHORTEST_ATTEMPT = 1.0
"""The least seconds that an attempt has."""

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class Gateway:
    """The gateway of one service, for one token."""

    def __init__(
        self, http: httpx.AsyncClient, url: str, token: str | None, *, deadline: float, attempt_timeout: float
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url} is not an HTTP URL")
        self.http = http
        self.url = url.rstrip("/")
        self._headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self._deadline = deadline
        self._attempt_timeout = attempt_timeout

    async def json(self, shape: type[T], request: Request) -> T:
        """Returns the answer, whose JSON has this shape.

        Raises `ProblemError` or `NoAnswerError`.
        """
        return cast(T, await self.value(request))

    async def value(self, request: Request) -> Any:
        """Returns the JSON of the answer.

        Raises `ProblemError` or `NoAnswerError`.
        """
        answer = await self.answer(request)
        try:
            return answer.json()
        except ValueError as error:
            raise TertuliaError(f"the answer to {request.method} {request.path} is not JSON") from error

    async def rows(self, shape: type[T], path: str, **parameters: Any) -> AsyncIterator[T]:
        """Yields the rows of a list, page by page."""
        cursor: str | None = None
        while True:
            page = await self.value(Request("GET", path, query(**parameters, cursor=cursor)))
            for row in page["items"]:
                yield cast(T, row)
            cursor = page.get("nextCursor")
            if cursor is None:
                return

    async def answer(self, request: Request) -> httpx.Response:
        """Returns the first answer without an error.

        Raises `ProblemError` for the last answer with one, and `NoAnswerError` if no answer arrived until the deadline.
        """
        ends_at = time.monotonic() + self._deadline
        was_lost = False
        attempt = 0
        while True:
            attempt += 1
            wait: float | None = None
            error: TertuliaError
            try:
                # The last attempt has some time, too: its answer says more than that there was none.
                left = max(SHORTEST_ATTEMPT, ends_at - time.monotonic())
                answer = await self.attempt(request, min(self._attempt_timeout, left))
            except httpx.RequestError as failure:
                failed: Failure | Answer = Failure.NOT_SENT if isinstance(failure, NOT_SENT) else Failure.LOST
                was_lost = was_lost or failed is Failure.LOST
                reason = str(failure) or type(failure).__name__
                error = NoAnswerError(f"no answer to {request.method} {request.path}: {reason}", key=request.key)
                error.__cause__ = failure
            else:
                if answer.is_success or (request.is_forwarded and "x-platform-service" in answer.headers):
                    return answer
                if request.method == "DELETE" and was_lost and answer.status_code == 404:
                    # The attempt whose answer was lost has deleted.
                    return httpx.Response(204)
                error = refusal(answer, request.key)
                wait = error.retry_after
                failed = Answer(answer.status_code, error.code)
            wait = wait_before(attempt, wait)
            is_over = request.is_single or time.monotonic() + wait >= ends_at
            if is_over or not may_repeat(request.repeatable, failed):
                raise error
            await asyncio.sleep(wait)

    async def attempt(self, request: Request, timeout: float) -> httpx.Response:
        """Sends the request once.

        Raises `httpx.RequestError` if there is no answer within `timeout` seconds.
        """
        headers = {**self._headers, **dict(request.headers)}
        if request.key is not None:
            headers["idempotency-key"] = request.key
        files, form = None, None
        if request.upload is not None:
            files = {"file": (request.upload.name, request.upload.content, request.upload.media_type)}
            form = dict(request.upload.fields)
        content = request.content
        if request.json is not None:
            content = json.dumps(request.json, ensure_ascii=False, separators=(",", ":")).encode()
            headers.setdefault("content-type", "application/json")
        return await self.http.request(
            request.method,
            self.url + request.path,
            params=request.query,
            headers=headers,
            content=content,
            files=files,
            data=form,
            timeout=timeout,
            follow_redirects=False,
        )

    @contextlib.asynccontextmanager
    async def stream(
        self, request: Request, *, silence: float, connect_within: float = 10.0
    ) -> AsyncIterator[httpx.Response]:
        """Opens an answer of any length, once. A body that pauses longer than `silence` seconds fails.

        Raises `ProblemError` or `httpx.RequestError`.
        """
        headers = {**self._headers, "accept-encoding": "identity", **dict(request.headers)}
        timeout = httpx.Timeout(silence, connect=connect_within, pool=connect_within)
        async with self.http.stream(
            request.method,
            self.url + request.path,
            params=request.query,
            headers=headers,
            timeout=timeout,
            follow_redirects=False,
        ) as answer:
            if not answer.is_success:
                await answer.aread()
                raise refusal(answer, request.key)
            yield answer


def refusal(answer: httpx.Response, key: str | None) -> ProblemError:
    """Returns the error that an answer stands for."""
    try:
        members = answer.json()
    except ValueError:
        members = None
    if not isinstance(members, dict) or "code" not in members:
        members = {"title": answer.reason_phrase}
    return problem_error(
        answer.status_code,
        members,
        request_id=answer.headers.get("x-request-id"),
        key=key,
        retry_after=retry_after(answer.headers),
    )
