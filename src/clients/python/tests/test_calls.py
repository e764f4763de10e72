"""Calls are repeated under one key, and refusals are errors."""

import asyncio
import itertools
from collections.abc import Callable
from types import SimpleNamespace

import httpx
import pytest
import tertulia
from tertulia import retries

TOKEN = "a-secret-token"

Reaction = Callable[[httpx.Request], httpx.Response]


class Service:
    """A service that reacts to each request with the next of some reactions, and to all others with the last."""

    def __init__(self, *reactions: Reaction) -> None:
        self.reactions = list(reactions)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.reactions[min(len(self.requests), len(self.reactions)) - 1](request)

    def client(self, deadline: float = 30.0) -> tertulia.Tertulia:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return tertulia.Tertulia("http://service", TOKEN, http=http, deadline=deadline)

    @property
    def keys(self) -> list[str | None]:
        return [request.headers.get("idempotency-key") for request in self.requests]


def problem(status: int, code: str, **headers: str) -> Reaction:
    members = {"type": "about:blank", "title": "Title", "status": status, "detail": "what happened", "code": code}
    return lambda request: httpx.Response(
        status, json=members, headers={"content-type": "application/problem+json", "x-request-id": "r-1", **headers}
    )


def lost(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("the connection broke", request=request)


def refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody listens", request=request)


def sent(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"sequence": 3})


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.001)


def test_a_command_is_repeated_under_its_key_until_it_has_an_answer() -> None:
    retry = {"retry-after": "0"}
    service = Service(
        refused, lost, problem(503, "not-connected"), problem(429, "overloaded", **retry),
        problem(409, "key-in-use", **retry), problem(504, "outcome-unknown"), sent,
    )  # fmt: skip
    answer = asyncio.run(service.client().conversation("c 1/x", connection="bots-1").send_text("Hello"))
    assert answer == {"sequence": 3}
    assert len(service.requests) == 7
    assert len(set(service.keys)) == 1
    assert service.keys[0] is not None and 1 <= len(service.keys[0]) <= 64
    assert {request.content for request in service.requests} == {b'{"text":"Hello"}'}
    target = "http://service/v1/conversations/c%201%2Fx/messages?connection=bots-1"
    assert {str(request.url) for request in service.requests} == {target}
    assert {request.headers["authorization"] for request in service.requests} == {f"Bearer {TOKEN}"}


def test_two_commands_have_two_keys_and_a_key_of_ones_own_is_used() -> None:
    async def twice(service: Service) -> None:
        conversation = service.client().conversation("c")
        await conversation.send_text("Hello")
        await conversation.send_text("Hello")
        await conversation.send_text("Hello", key="mine")

    service = Service(sent)
    asyncio.run(twice(service))
    assert len(set(service.keys)) == 3
    assert service.keys[2] == "mine"


def test_a_change_without_a_key_is_not_sent_twice() -> None:
    service = Service(lost, sent)
    with pytest.raises(tertulia.NoAnswerError):
        asyncio.run(service.client().webhook("w").change({"enabled": True}))
    assert len(service.requests) == 1
    service = Service(refused, problem(429, "too-many-requests"), sent)
    asyncio.run(service.client().webhook("w").change({"enabled": True}))
    assert len(service.requests) == 3


def test_a_deletion_whose_answer_was_lost_is_done() -> None:
    service = Service(lost, problem(404, "unknown-webhook"))
    asyncio.run(service.client().webhook("w").delete())
    service = Service(problem(404, "unknown-webhook"))
    with pytest.raises(tertulia.NotFoundError):
        asyncio.run(service.client().webhook("w").delete())


@pytest.mark.parametrize(
    ("reaction", "kind"),
    [
        (problem(400, "bad-request"), tertulia.BadRequestError),
        (problem(401, "unauthenticated"), tertulia.UnauthenticatedError),
        (problem(403, "not-permitted"), tertulia.NotPermittedError),
        (problem(404, "unknown-conversation"), tertulia.NotFoundError),
        (problem(409, "no-open-dialog"), tertulia.ConflictError),
        (problem(422, "text-too-long"), tertulia.BadRequestError),
        (problem(422, "key-reused"), tertulia.KeyReusedError),
        (problem(422, "platform-rejected"), tertulia.PlatformRejectedError),
        (problem(500, "dead-lettered"), tertulia.UnavailableError),
    ],
)
def test_a_refusal_is_an_error_of_its_kind_at_once(reaction: Reaction, kind: type[tertulia.ProblemError]) -> None:
    service = Service(reaction)
    with pytest.raises(tertulia.ProblemError) as caught:
        asyncio.run(service.client().conversation("c").send_text("Hello"))
    error = caught.value
    assert type(error) is kind
    assert error.detail == "what happened"
    assert error.request_id == "r-1"
    assert error.key == service.keys[0]
    assert not error.is_transient
    assert len(service.requests) == 1
    assert TOKEN not in repr(error)


def test_the_platforms_own_words_are_in_the_error() -> None:
    members = {"code": "platform-rejected", "detail": "d", "platformCode": 400, "platformText": "no"}
    service = Service(lambda request: httpx.Response(422, json=members))
    with pytest.raises(tertulia.PlatformRejectedError) as caught:
        asyncio.run(service.client().conversation("c").close())
    assert (caught.value.platform_code, caught.value.platform_text) == (400, "no")


@pytest.mark.parametrize(
    ("reaction", "kind"),
    [
        (problem(429, "overloaded"), tertulia.TooManyRequestsError),
        (problem(503, "not-connected"), tertulia.UnavailableError),
        (problem(504, "outcome-unknown"), tertulia.OutcomeUnknownError),
        (lost, tertulia.NoAnswerError),
        (refused, tertulia.NoAnswerError),
    ],
)
def test_the_deadline_ends_the_repetitions_with_the_last_error(
    reaction: Reaction, kind: type[tertulia.TertuliaError], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A second passes at each look at the clock.
    seconds = itertools.count()
    monkeypatch.setattr("tertulia.gateway.time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    service = Service(reaction)
    with pytest.raises(tertulia.TertuliaError) as caught:
        asyncio.run(service.client(deadline=20).conversation("c").send_text("Hello"))
    assert type(caught.value) is kind
    assert caught.value.is_transient
    assert len(service.requests) > 1
    assert len(set(service.keys)) == 1


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    service = Service(problem(429, "overloaded", **{"retry-after": "3600"}))
    with pytest.raises(tertulia.TooManyRequestsError) as caught:
        asyncio.run(service.client().conversation("c").send_text("Hello"))
    assert caught.value.retry_after == 3600
    assert len(service.requests) == 1


def test_an_answer_that_is_not_the_services_own_is_an_error_too() -> None:
    service = Service(lambda request: httpx.Response(404, text="<html>a proxy</html>"))
    with pytest.raises(tertulia.NotFoundError) as caught:
        asyncio.run(service.client().overview())
    assert caught.value.code == ""
    with pytest.raises(tertulia.TertuliaError, match="is not JSON"):
        asyncio.run(Service(lambda request: httpx.Response(200, text="<html>")).client().overview())


def test_an_error_of_another_service_of_the_platform_is_an_answer() -> None:
    headers = {"x-platform-service": "msgHist"}
    service = Service(lambda request: httpx.Response(503, json={"error": "later"}, headers=headers))
    answer = asyncio.run(service.client().connection("b").platform("msgHist").post("/a/b", json={}))
    assert (answer.status, answer.json()) == (503, {"error": "later"})
    assert len(service.requests) == 1
    assert service.keys == [None]


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_an_id_that_would_change_the_path_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="is not an id"):
        Service(sent).client().conversation(id)


def test_a_url_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERTULIA_URL", raising=False)
    with pytest.raises(ValueError, match="TERTULIA_URL"):
        tertulia.Tertulia()
    with pytest.raises(ValueError, match="ftp://service is not an HTTP URL"):
        tertulia.SyncTertulia("ftp://service")
