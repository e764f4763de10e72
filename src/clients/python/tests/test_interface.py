"""The client has every path and method of the service's OpenAPI document, and its types are those of the document."""

import asyncio
import inspect
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl

import httpx
import jsonschema
import pytest
import tertulia
import write_models
import write_sync
from tertulia.testing import Service

# The event stream over a WebSocket has the events of `/v1/events`, which the client follows.
LEFT_OUT = {"openEventSocket"}

# Bodies whose members the caller names, as the type of the argument says.
OF_THE_CALLER = {"ConnectionDefinition", "NewWebhook", "WebhookChanges", "Snapshot", "JsonObject"}

SNAPSHOT = tertulia.models.Snapshot(version=1, sequence=1, conversation={})
PAGE = {"connection": "b", "conversation": ["c", "d"], "type": "message"}

EVENT = {"specversion": "1.0", "id": "a-1", "source": "/", "type": "tertulia.gap", "time": "", "data": {}}

# What the mock service returns: enough for every call that reads its answer.
ANSWER = {"items": [], "conversationId": "c", "connection": "b", "discarded": 0}


def calls(client: tertulia.Tertulia) -> Iterator[Any]:
    """Makes every call, with every argument. The synchronous client has the same calls."""
    yield client.health()
    yield client.readiness()
    yield client.metrics()
    yield client.openapi()
    yield client.overview(history=False)
    yield client.supervision()
    yield client.events(connection="b", conversation=["c", "d"], type="message", cursor="a-0")
    yield client.event_page(after="a-0", limit=7, connection="b", conversation=["c", "d"], type="message")
    yield client.nodes()
    yield client.rebalance()
    yield client.node("n").get()
    yield client.node("n").drain()
    yield client.connections(limit=7)
    yield client.add_connection({"id": "b", "account": "12345678", "role": "consumer"})
    yield client.rings(connection="b", limit=7)
    yield client.ring("r", connection="b").accept()
    yield client.ring("r", connection="b").reject()
    yield client.webhooks(limit=7)
    yield client.create_webhook({"url": "https://receiver.example/", "filter": {"type": ["message"]}})
    yield client.bulk_jobs(limit=7)
    yield client.start_bulk_job("close", {"all": True}, arguments={"survey": True}, rate=5)
    yield client.try_bulk_job("transfer", {"skill": "1"}, arguments={"skillId": "2"})
    yield client.dead_letters(cause="x", limit=7)
    yield client.dead_letter_causes(limit=7)
    yield client.discard_dead_letters("x")
    yield client.dead_letter("l").get()
    yield client.dead_letter("l").replay()
    yield client.dead_letter("l").discard()
    yield client.conversations(
        connection="b", stage="OPEN", skill="1", agent="a", consumer="k", text="t", limit=7
    )
    yield from webhook_calls(client)
    yield from bulk_calls(client)
    yield from connection_calls(client)
    yield from conversation_calls(client)


def webhook_calls(client: tertulia.Tertulia) -> Iterator[Any]:
    webhook = client.webhook("w")
    yield webhook.get()
    yield webhook.change({"enabled": False})
    yield webhook.delete()
    yield webhook.deliveries(limit=7)
    yield webhook.rotate_secret(secret="whsec_x", overlap_seconds=5)
    yield webhook.test()


def bulk_calls(client: tertulia.Tertulia) -> Iterator[Any]:
    job = client.bulk_job("j")
    yield job.get()
    yield job.items(outcome="done", limit=7)
    yield job.pause()
    yield job.resume()
    yield job.cancel()


def connection_calls(client: tertulia.Tertulia) -> Iterator[Any]:
    connection = client.connection("b")
    yield connection.get()
    yield connection.remove()
    yield connection.set_agent_state("ONLINE")
    yield connection.open_conversation(
        skill_id="1", ttr_type="URGENT", context={}, campaign_info={}, consumer={"id": "whatsapp:1"}
    )
    yield connection.load_conversation(SNAPSHOT)
    yield connection.send_request("GetClock", {}, headers=[{}], metadata=[{}])
    yield connection.step_up("101", "code")
    yield connection.restart()
    yield connection.move("n")
    yield connection.receive_webhook(b"{}", signature="sha1=x")
    service = connection.platform("msgHist")
    yield service.get("a/b", params={"v": "2.0"})
    yield service.post("a/b", json={})
    for method in ("PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
        yield service.request(method, "/a/b", content=b"x" if method in ("PUT", "PATCH") else None)


def conversation_calls(client: tertulia.Tertulia) -> Iterator[Any]:
    conversation = client.conversation("c", connection="b")
    buttons: dict[str, Any] = {"type": "quickReplies", "replies": []}
    yield conversation.get()
    yield conversation.messages(dialog="d", sequence_min=0, sequence_max=9, max_quantity=5)
    yield conversation.send_text("Hello", private=True, dialog="d", quick_replies=buttons, metadata=[{}])
    yield conversation.send_rich_text({"type": "text"}, private=True, dialog="d", quick_replies=buttons, metadata=[{}])
    yield conversation.upload_file(b"%PDF", name="a.pdf", media_type="application/pdf", caption="c", dialog="d")
    yield conversation.download_file("/path")
    yield conversation.join("MANAGER", dialog="d")
    yield conversation.leave(dialog="d")
    yield conversation.transfer(skill_id="1", agent_id="bot2")
    yield conversation.close(survey=False, dialog="d")
    yield conversation.set_csat(5, resolved=True, status="FILLED")
    yield conversation.set_ttr("CUSTOM", seconds=60)
    yield conversation.set_manual_ettr(1_790_000_000_000)
    yield conversation.set_note("n", note_id="1", agent_id="a", name="A", is_auto_summary=True, truncate=False)
    yield conversation.mark_read([1, 2], dialog="d", metadata=[{}])
    yield conversation.mark_accepted([1, 2], dialog="d", metadata=[{}])
    yield conversation.set_chat_state("COMPOSING", dialog="d")
    yield conversation.take_over_consumer("k")
    yield conversation.waiting_commands(limit=7)
    yield conversation.cancel_command("key/1")
    yield conversation.snapshot()
    yield conversation.unload()
    yield conversation.release()


@dataclass
class Used:
    """What the client used of the document."""

    shapes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    parameters: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    members: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    operations: set[str] = field(default_factory=set)


class Description:
    """A mock service that holds requests against the document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.used = Used()
        self.newest = ""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0]
        id, operation, template = self.find(request.method, path)
        self.newest = id
        self.used.operations.add(id)
        self.check_parameters(id, operation, template, request)
        body = operation.get("requestBody")
        if body is not None and "application/json" in body["content"]:
            self.check_body(id, body["content"]["application/json"]["schema"], request)
        elif body is None:
            assert request.read() == b"", id
        if request.headers.get("accept") == "text/event-stream":
            return httpx.Response(200, stream=httpx.ByteStream(f"id: a-1\ndata: {json.dumps(EVENT)}\n\n".encode()))
        if id == "takeBackup":
            return httpx.Response(200, stream=httpx.ByteStream(b"an archive"))
        return httpx.Response(200, json=ANSWER)

    def find(self, method: str, path: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
        found = []
        for template, methods in self.document["paths"].items():
            pattern = re.sub(r"\{path\}", ".+", template)
            pattern = re.sub(r"\{\w+\}", "[^/]+", pattern)
            if re.fullmatch(pattern, path) and method.lower() in methods:
                found.append((template.count("{"), methods[method.lower()]["operationId"], methods))
        assert found, f"{method} {path} is not in the document"
        _, id, methods = min(found, key=lambda each: each[0])
        return id, methods[method.lower()], methods

    def check_parameters(
        self, id: str, operation: dict[str, Any], template: dict[str, Any], request: httpx.Request
    ) -> None:
        described = [*operation.get("parameters", []), *template.get("parameters", [])]
        in_query = {parameter["name"] for parameter in described if parameter["in"] == "query"}
        in_headers = {parameter["name"].lower() for parameter in described if parameter["in"] == "header"}
        used = {name for name, _ in parse_qsl(request.url.query.decode())}
        if "PlatformService" not in id:
            assert used <= in_query, f"{id} has no {used - in_query}"
        self.used.parameters[id] |= used
        assert ("idempotency-key" in request.headers) is ("idempotency-key" in in_headers), id

    def check_body(self, id: str, schema: dict[str, Any], request: httpx.Request) -> None:
        body = json.loads(request.read() or b"null")
        try:
            jsonschema.validate(body, {**schema, "components": self.document["components"]})
        except jsonschema.ValidationError as error:
            raise AssertionError(f"{id}: {error.message}") from error
        self.used.members[id] |= set(body or {})


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    with service.sync_client() as client:
        return client.openapi()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    methods = ("get", "post", "put", "delete", "patch", "head", "options", "trace")
    each = [row[method] for row in document["paths"].values() for method in methods if method in row]
    return {operation["operationId"]: operation for operation in each}


async def made(call: Any) -> None:
    if isinstance(call, AsyncIterator):
        async for _ in call:
            break
    elif isinstance(call, Awaitable):
        await call
    elif isinstance(call, Iterator):
        next(call, None)


def used_by_async(document: dict[str, Any], backup: str) -> Used:
    description = Description(document)

    async def use() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(description)) as http:
            client = tertulia.Tertulia("http://service", http=http)
            note_shapes(client._gateway, description)
            for call in calls(client):
                await made(call)
            await client.backup(backup)

    asyncio.run(use())
    return description.used


def used_by_sync(document: dict[str, Any], backup: str) -> Used:
    description = Description(document)
    with httpx.Client(transport=httpx.MockTransport(description)) as http:
        client = tertulia.SyncTertulia("http://service", http=http)
        note_shapes(client._gateway, description)
        for call in calls(cast(tertulia.Tertulia, client)):
            if isinstance(call, Iterator):
                next(call, None)
        client.backup(backup)
    return description.used


def note_shapes(gateway: Any, description: Description) -> None:
    """Notes which type the client gives to the answer of each operation."""
    value, rows = gateway.value, gateway.rows

    def noting_json(shape: type, request: Any) -> Any:
        answer = value(request)
        if not inspect.isawaitable(answer):
            description.used.shapes[description.newest].add(shape.__name__)
            return answer

        async def awaited() -> Any:
            result = await answer
            description.used.shapes[description.newest].add(shape.__name__)
            return result

        return awaited()

    def noting_rows(shape: type, path: str, **parameters: Any) -> Any:
        id = description.find("GET", path)[0]
        description.used.shapes[id].add(f"{shape.__name__} rows")
        return rows(shape, path, **parameters)

    gateway.json, gateway.rows = noting_json, noting_rows


@pytest.mark.parametrize("use", [used_by_async, used_by_sync])
def test_the_client_has_every_operation_parameter_and_member(
    use: Callable[[dict[str, Any], str], Used], document: dict[str, Any], tmp_path: Any
) -> None:
    used = use(document, str(tmp_path / "backup.tar"))
    described = operations(document)
    assert set(described) - used.operations == LEFT_OUT
    schemas = document["components"]["schemas"]
    for id in used.operations:
        operation = described[id]
        parameters = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
        # Iterators give the cursor of the page before; the stream gives its position as a header.
        left = parameters - used.parameters[id] - {"cursor"}
        assert not left, f"{id}: the client does not have {left}"
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is not None:
            schema = content["schema"]
            name = next(part["$ref"] for part in [schema, *schema.get("oneOf", [])] if "$ref" in part).split("/")[-1]
            left = set() if name in OF_THE_CALLER else set(schemas[name]["properties"]) - used.members[id]
            assert not left, f"{id}: the client does not have {left}"


def test_answers_have_the_types_of_the_document(document: dict[str, Any], tmp_path: Any) -> None:
    shapes = used_by_async(document, str(tmp_path / "backup.tar")).shapes
    schemas = document["components"]["schemas"]
    described = operations(document)
    assert len(shapes) > 50
    for id, names in shapes.items():
        answers = [answer for status, answer in described[id]["responses"].items() if status.startswith("2")]
        expected = set()
        for answer in answers:
            schema = answer["content"]["application/json"]["schema"]
            name = schema["$ref"].split("/")[-1]
            rows = schemas[name].get("properties", {}).get("items")
            is_list = "nextCursor" in schemas[name].get("properties", {}) or name.endswith("Page")
            if rows and is_list and id != "readEvents":
                name = f"{rows['items']['$ref'].split('/')[-1]} rows"
            expected.add(name)
        assert names == expected, id


def test_the_models_are_those_of_the_document(document: dict[str, Any]) -> None:
    assert write_models.FILE.read_text() == write_models.Models(document).text(), "run generate/write_models.py"


@pytest.mark.parametrize("module", write_sync.MODULES)
def test_the_synchronous_modules_are_those_of_the_asynchronous_ones(module: str) -> None:
    file = write_sync.PACKAGE / "sync" / f"{module}.py"
    assert file.read_text() == write_sync.sync_text(module), "run generate/write_sync.py"
