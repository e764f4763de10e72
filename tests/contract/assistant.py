"""The official client of the Model Context Protocol uses the tools of a service: over standard input and output
(`tertulia mcp`) and over HTTP (`POST /mcp`), with a handshake and without. It reads a conversation and answers in it,
and the stand-in's ledger has each answer once. A token of scope read cannot answer, and a token that is limited to
connections sees only theirs.

Starts a platform stand-in and a service of its own, on free ports of loopback, and ends them.
"""

import asyncio
import json
import os
import pathlib
import subprocess
import tempfile
import urllib.request

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from contract import BINARY, WITHIN, address, first_line, until

CONFIGURATION = """
[platform]
discovery = "https://{listen}"
ca_file = "{directory}/ca.pem"

[[connections]]
id = "bots-1"
account = "12345678"
role = "brand"
login = {{ username = "bot1", password = {{ env = "PASSWORD" }} }}
rings = "accept"
agent_state = "ONLINE"

[[connections]]
id = "shop-1"
account = "12345678"
role = "brand"
login = {{ username = "bot2", password = {{ env = "PASSWORD" }} }}

[drain]
within = "5s"

[engine]
path = "{directory}/data"
leases = "{directory}/leases"

[gateway]
listen = "127.0.0.1:0"
tokens = [
    {{ name = "assistant", token = {{ env = "WRITE" }}, scope = "write", connections = ["bots-*"] }},
    {{ name = "looker", token = {{ env = "READ" }}, scope = "read" }},
    {{ name = "shop", token = {{ env = "SHOP" }}, scope = "write", connections = ["shop-*"] }},
]
"""
TOKENS = {"WRITE": "the-writer", "READ": "the-reader", "SHOP": "the-shop"}
READING = ["list_connections", "list_conversations", "search_conversations", "read_conversation", "read_messages"]
ACTING = ["say", "note_privately", "transfer", "close_conversation"]


def main():
    with tempfile.TemporaryDirectory() as directory:
        emulate = [BINARY, "emulate", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        emulate += ["--ca-out", f"{directory}/ca.pem"]
        platform = subprocess.Popen(emulate, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        service = None
        log = pathlib.Path(directory, "log")
        try:
            stand_in = json.loads(first_line(platform))
            file = pathlib.Path(directory, "tertulia.toml")
            file.write_text(CONFIGURATION.format(listen=stand_in["listen"], directory=directory))
            with log.open("w") as written:
                run = [BINARY, "--log-format", "json", "run", "--config", str(file)]
                environment = {**os.environ, **TOKENS, "PASSWORD": "secret"}
                service = subprocess.Popen(run, stdout=written, stderr=written, env=environment)
            gateway = until(lambda: address(log))
            until(lambda: fetch(f"{gateway}/readyz")["ready"])
            asyncio.run(asyncio.wait_for(examine(gateway, f"http://{stand_in['control']}"), 4 * WITHIN))
            said = log.read_text()
            assert "Where is my parcel" not in said and "the-writer" not in said, "the log has a message or a token"
        except BaseException:
            print(log.read_text() if log.exists() else "")
            raise
        finally:
            for process in filter(None, (service, platform)):
                process.terminate()
                process.wait(timeout=2 * WITHIN)


def fetch(url, body=None):
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=WITHIN) as response:
        return json.load(response)


class Ways:
    """How a client reaches the service."""

    def __init__(self, gateway):
        self.gateway = gateway

    def standard_input(self, token):
        """As a program that the client starts."""
        environment = {"TERTULIA_TOKEN": token}
        return StdioServerParameters(command=BINARY, args=["mcp", "--url", self.gateway], env=environment)

    def http(self, token):
        client = httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=WITHIN)
        return streamable_http_client(f"{self.gateway}/mcp", http_client=client)


async def examine(gateway, control):
    ways = Ways(gateway)
    for number, (way, mode) in enumerate(
        [(ways.standard_input, "legacy"), (ways.standard_input, "auto"), (ways.http, "legacy"), (ways.http, "auto")]
    ):
        conversation = fetch(f"{control}/conversations", {})["id"]
        fetch(f"{control}/conversations/{conversation}/messages", {"text": "Where is my parcel?"})
        name = f"{way.__name__.replace('_', ' ')}, {mode}"
        text = f"It comes tomorrow ({number})."
        async with Client(way(TOKENS["WRITE"]), mode=mode) as client:
            await answer(client, conversation, text)
        async with Client(way(TOKENS["READ"]), mode=mode) as client:
            await cannot_answer(client, conversation, lists_all=way == ways.standard_input)
        async with Client(way(TOKENS["SHOP"]), mode=mode) as client:
            await sees_only_its_own(client, conversation)
        entries = ledger(control, conversation)
        answers = [entry for entry in entries if entry["role"] != "CONSUMER"]
        assert [(entry["text"], entry["audience"]) for entry in answers] == [
            (text, "ALL"),
            ("The parcel is late.", "AGENTS_AND_MANAGERS"),
        ], entries
        print(f"{name}: read and answered once; refused with a token of scope read, and to another tenant")


def ledger(control, conversation):
    with urllib.request.urlopen(f"{control}/ledger", timeout=WITHIN) as response:
        entries = [json.loads(line) for line in response.read().decode().splitlines()]
    return [entry for entry in entries if entry["conversation"] == conversation]


async def use(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return result.structured_content


async def refused(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result
    return result.structured_content["code"]


async def has_conversation(client, conversation):
    """The connection has the conversation a moment after the consumer opened it."""
    async with asyncio.timeout(WITHIN):
        while True:
            listed = await use(client, "list_conversations", stage="OPEN")
            known = [item for item in listed["items"] if item["conversationId"] == conversation]
            if known and known[0]["lastMessage"]:
                return known[0]
            await asyncio.sleep(0.05)


async def answer(client, conversation, text):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == READING + ACTING, list(tools)
    assert tools["say"].input_schema["required"] == ["conversation", "text"]
    assert tools["read_messages"].annotations.read_only_hint and not tools["say"].annotations.read_only_hint
    brief = await has_conversation(client, conversation)
    assert brief["lastMessage"]["text"] == "Where is my parcel?", brief
    assert (await use(client, "read_conversation", conversation=conversation))["stage"] == "OPEN"
    messages = (await use(client, "read_messages", conversation=conversation))["items"]
    assert [message["body"] for message in messages] == ["Where is my parcel?"], messages
    arguments = {"conversation": conversation, "text": text, "idempotencyKey": f"key-{conversation[:8]}"}
    first = await use(client, "say", **arguments)
    assert first == await use(client, "say", **arguments), first
    await use(client, "note_privately", conversation=conversation, text="The parcel is late.")
    assert await refused(client, "say", conversation="no-such", text="x") == "unknown-conversation"
    templates = (await client.list_resource_templates()).resource_templates
    assert [template.name for template in templates] == ["conversation", "transcript"]
    uris = [resource.uri for resource in (await client.list_resources()).resources if conversation in resource.uri]
    assert len(uris) == 2, uris
    transcript = (await client.read_resource(uris[1])).contents[0].text
    assert "CONSUMER: Where is my parcel?" in transcript and f": {text}" in transcript, transcript


async def cannot_answer(client, conversation, lists_all):
    names = [tool.name for tool in (await client.list_tools()).tools]
    assert names == READING + (ACTING if lists_all else []), names
    messages = (await use(client, "read_messages", conversation=conversation))["items"]
    assert messages[0]["body"] == "Where is my parcel?"
    for tool, more in zip(ACTING, ({"text": "x"}, {"text": "x"}, {"skillId": "5"}, {})):
        assert await refused(client, tool, conversation=conversation, **more) == "not-permitted", tool


async def sees_only_its_own(client, conversation):
    connections = (await use(client, "list_connections"))["items"]
    assert [connection["id"] for connection in connections] == ["shop-1"], connections
    assert (await use(client, "list_conversations"))["items"] == []
    for tool, more in (("read_conversation", {}), ("read_messages", {}), ("say", {"text": "x"})):
        assert await refused(client, tool, conversation=conversation, **more) == "unknown-conversation", tool
    try:
        await client.read_resource(f"tertulia://conversations/{conversation}")
    except MCPError as error:
        assert "no connection has conversation" in str(error), error
    else:
        raise AssertionError("another tenant has read the conversation")


if __name__ == "__main__":
    main()
