"""The stream of events over lost connections, in front of a mock service."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import tertulia
from tertulia import Event, MemoryCursor, retries

LOST = httpx.ReadTimeout("silent for too long")
Refusal = tuple[int, str]
Step = list[bytes | Exception] | Refusal


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "retry_wait", lambda *_: 0.0)


def event(number: int) -> bytes:
    members = {"id": f"a-{number}", "type": "tertulia.close", "time": "", "data": {}, "subject": "c", "sequence": "7"}
    return f"id: a-{number}\ndata: {json.dumps(members)}\n\n".encode()


class Body(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A body of these pieces, which ends as a connection that is lost if the last one is an error."""

    def __init__(self, pieces: list[bytes | Exception]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


class Service:
    """A service that answers each request for the stream with the next step, and the last one for ever."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.after: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.after.append(request.headers["last-event-id"])
        step = self.steps[min(len(self.after), len(self.steps)) - 1]
        if isinstance(step, tuple):
            return httpx.Response(step[0], json={"code": step[1]}, headers={"retry-after": "0"})
        return httpx.Response(200, stream=Body(step))

    def read(self, count: int, cursor: MemoryCursor | None = None) -> list[str]:
        """Reads so many events by the asynchronous client."""

        async def main() -> list[str]:
            http = httpx.AsyncClient(transport=httpx.MockTransport(self))
            events = tertulia.Tertulia("http://service", http=http).events(cursor=cursor)
            return [(await anext(events)).id for _ in range(count)]

        return asyncio.run(asyncio.wait_for(main(), 10))

    def read_by_sync(self, count: int, cursor: MemoryCursor | None = None) -> list[str]:
        http = httpx.Client(transport=httpx.MockTransport(self))
        events = tertulia.SyncTertulia("http://service", http=http).events(cursor=cursor)
        return [next(events).id for _ in range(count)]


BROKEN: list[Step] = [
    [event(1), event(2)[:20], LOST],
    [],
    [b"id: a-5\n: heartbeat\n\n", event(6), httpx.RemoteProtocolError("broken")],
    (503, "stopping"),
    (429, "too-many-streams"),
    [event(7), event(8)],
]


@pytest.mark.parametrize("read", [Service.read, Service.read_by_sync])
def test_each_event_is_yielded_once_whatever_happens_to_the_connection(read: object) -> None:
    service = Service(*BROKEN)
    assert callable(read)
    assert read(service, 4) == ["a-1", "a-6", "a-7", "a-8"]
    assert service.after == ["latest", "a-1", "a-1", "a-6", "a-6", "a-6"]


@pytest.mark.parametrize("read", [Service.read, Service.read_by_sync])
def test_the_cursor_of_an_event_is_saved_when_the_next_one_is_asked_for(read: object) -> None:
    assert callable(read)
    cursor = MemoryCursor("a-0")
    service = Service([event(1), event(2), event(3)])
    read(service, 2, cursor)
    assert cursor.load() == "a-1"
    assert service.after == ["a-0"]


def test_a_refusal_of_the_stream_is_an_error() -> None:
    for status, kind in ((401, tertulia.UnauthenticatedError), (400, tertulia.BadRequestError)):
        service = Service([event(1)], (status, "x"))
        with pytest.raises(kind):
            service.read(2)


def test_something_that_is_not_an_event_is_an_error() -> None:
    with pytest.raises(tertulia.TertuliaError, match="is not an event"):
        Service([b"id: a-1\ndata: [1]\n\n"]).read(1)


def test_an_event_has_its_members() -> None:
    async def main() -> Event:
        http = httpx.AsyncClient(transport=httpx.MockTransport(Service([event(1)])))
        return await anext(tertulia.Tertulia("http://service", http=http).events())

    found = asyncio.run(main())
    assert (found.id, found.type, found.conversation_id, found.connection) == ("a-1", "tertulia.close", "c", None)
    assert (found.sequence, found.message, found.consumer_text, found.gap) == (7, None, None, None)
    assert repr(found) == "Event(id='a-1', type='tertulia.close', conversation_id='c')"
