"""The client in front of a real service and the stand-in."""

import asyncio
import hashlib
import tarfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
import tertulia
from tertulia import models
from tertulia.testing import Service, StandIn


def assigned(service: Service, platform: StandIn) -> str:
    """A conversation that the bot of the service has."""
    conversation = platform.open_conversation()
    with service.sync_client() as client:

        def is_assigned() -> bool:
            try:
                return client.conversation(conversation, connection="bots-1").get().get("assignedAgent") is not None
            except tertulia.NotFoundError:
                return False

        platform.wait_until(is_assigned, what="the conversation is assigned")
    return conversation


def with_client(service: Service, use: Any) -> Any:
    async def main() -> Any:
        async with service.client() as client:
            return await use(client)

    return asyncio.run(main())


def test_commands_act_in_a_conversation(service: Service, platform: StandIn) -> None:
    id = assigned(service, platform)
    platform.say(id, "Grüße 👋")

    async def use(client: tertulia.Tertulia) -> None:
        conversation = client.connection("bots-1").conversation(id)
        await conversation.set_chat_state("COMPOSING")
        first = await conversation.send_text("Hello", key="k-1")
        assert await conversation.send_text("Hello", key="k-1") == first
        with pytest.raises(tertulia.KeyReusedError):
            await conversation.send_text("Good bye", key="k-1")
        rich = {"type": "vertical", "elements": [{"type": "text", "text": "rich"}]}
        await conversation.send_rich_text(rich)
        await conversation.send_text("between us", private=True)
        note = await conversation.set_note("a note")
        assert note["truncated"] is False
        await conversation.set_note("another note", note_id=note.get("noteId"))
        await conversation.mark_read([0])
        await conversation.set_ttr("URGENT")
        messages = await conversation.messages()
        assert [message["body"] for message in messages if isinstance(message["body"], str)] == [
            "Grüße 👋", "Hello", "between us",
        ]  # fmt: skip
        assert "another note" in ((await conversation.get()).get("note") or "")
        assert [row["conversationId"] async for row in client.conversations(text=id)] == [id]
        assert [row async for row in conversation.waiting_commands()] == []
        await conversation.close(survey=False)
        with pytest.raises(tertulia.ProblemError) as caught:
            await conversation.send_text("Too late")
        assert caught.value.code in ("no-open-dialog", "dialog-closed", "conversation-locked")
        assert not caught.value.is_transient

    with_client(service, use)
    texts = [answer["text"] for answer in platform.answers(id) if answer["type"] == "ContentEvent"]
    assert texts == ["Hello"]


def test_a_file_is_sent_and_read_again(service: Service, platform: StandIn, tmp_path: Path) -> None:
    id = assigned(service, platform)
    content = bytes(range(256)) * 100
    (tmp_path / "offer.pdf").write_bytes(content)

    async def use(client: tertulia.Tertulia) -> bytes:
        conversation = client.connection("bots-1").conversation(id)
        await conversation.upload_file(tmp_path / "offer.pdf", caption="Our offer", key="file")
        await conversation.upload_file(content, name="offer.pdf", caption="Our offer", key="file")
        files = [message["body"] for message in await conversation.messages()]
        assert len(files) == 1
        assert isinstance(files[0], dict)
        assert files[0]["caption"] == "Our offer"
        return await conversation.download_file(files[0]["relativePath"])

    received = with_client(service, use)
    assert hashlib.sha256(received).digest() == hashlib.sha256(content).digest()


def test_the_synchronous_client_does_the_same(service: Service, platform: StandIn) -> None:
    id = assigned(service, platform)
    with service.sync_client() as client:
        conversation = client.conversation(id, connection="bots-1")
        conversation.send_text("Hello")
        for wording, is_sent in (("Again", True), ("worded differently", False)):
            for event in client.events(conversation=id, type="message", cursor="earliest"):
                assert event.message is not None and event.message["body"] == "Hello"
                assert ("sequence" in event.reply(wording)) is is_sent
                break
        conversation.close(survey=False)
        with pytest.raises(tertulia.NotFoundError) as caught:
            client.conversation("nobody's").get()
        assert caught.value.code == "unknown-conversation"
    assert [answer["text"] for answer in platform.answers(id)] == ["Hello", "Again"]


def test_a_consumer_of_ones_own_opens_a_conversation(service: Service, platform: StandIn) -> None:
    async def use(client: tertulia.Tertulia) -> str:
        conversation = await client.connection("someone").open_conversation(skill_id="-1")
        await conversation.send_text("Is anybody there?")
        return conversation.id

    id = with_client(service, use)
    assert [entry["text"] for entry in platform.ledger(id)] == ["Is anybody there?"]


def test_reads_the_service_and_the_platform_behind_it(service: Service, tmp_path: Path) -> None:
    async def use(client: tertulia.Tertulia) -> None:
        assert (await client.health())["alive"]
        assert (await client.readiness())["ready"]
        assert "tertulia_" in await client.metrics()
        assert {row["id"] async for row in client.connections(limit=1)} == {"bots-1", "someone"}
        connection = client.connection("bots-1")
        assert (await connection.get())["state"] == "ready"
        assert await connection.set_agent_state("ONLINE") == {"agentState": "ONLINE"}
        assert await connection.send_request("GetClock", {})
        skills = connection.platform("accountConfigReadWrite")
        account = service.platform.account
        answer = await skills.get(f"api/account/{account}/configuration/le-users/skills", params={"v": "2.0"})
        assert answer.status == 200 and answer.json()
        assert (await skills.get(f"api/account/{account}/configuration/le-users/skills/none")).status == 404
        with pytest.raises(tertulia.NotFoundError) as caught:
            await connection.platform("noSuchService").get("x")
        assert caught.value.code == "unknown-service"
        with pytest.raises(tertulia.BadRequestError) as refused:
            await client.start_bulk_job("close", {})
        assert refused.value.code == "no-condition"
        assert (await client.try_bulk_job("close", {"connection": "bots-1"}))["dryRun"]
        assert [row async for row in client.bulk_jobs()] == []
        await client.overview()
        await client.supervision()
        await client.backup(tmp_path / "backup.tar")
        with tarfile.open(tmp_path / "backup.tar") as archive:
            assert archive.getnames()
        assert [file.name for file in tmp_path.iterdir()] == ["backup.tar"]

    with_client(service, use)


def test_a_webhook_is_made_changed_and_deleted(service: Service) -> None:
    async def use(client: tertulia.Tertulia) -> None:
        order: models.NewWebhook = {"url": "http://127.0.0.1:9/", "enabled": False}
        created = await client.create_webhook(order)
        assert (created.get("secret") or "").startswith("whsec_")
        webhook = client.webhook(created["id"])
        assert (await webhook.change({"filter": {"type": ["message"]}}))["id"] == created["id"]
        assert (await webhook.rotate_secret(overlap_seconds=0))["secret"] != created.get("secret")
        await webhook.delete()
        with pytest.raises(tertulia.NotFoundError):
            await webhook.get()

    with_client(service, use)


def test_a_token_that_the_service_does_not_know_is_refused(service: Service) -> None:
    async def use() -> None:
        async with tertulia.Tertulia(service.url, "wrong") as client:
            refusals: list[Awaitable[object]] = [client.overview(), anext(client.events())]
            for call in refusals:
                with pytest.raises(tertulia.UnauthenticatedError) as caught:
                    await call
                assert caught.value.status == 401

    asyncio.run(use())


def test_the_environment_names_the_service(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in service.environment.items():
        monkeypatch.setenv(name, value)
    with tertulia.SyncTertulia() as client:
        assert [row["id"] for row in client.connections()] == ["bots-1", "someone"]
