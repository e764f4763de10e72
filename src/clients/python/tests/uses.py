"""What users write. It is only type-checked; a line marked as wrong must be an error."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tertulia import Event, FileCursor, MemoryCursor, ProblemError, SyncTertulia, Tertulia, models, run_bot
from typing_extensions import assert_type


async def narrow(event: Event) -> None:
    raw = event.raw
    if raw["type"] == "tertulia.message":
        assert_type(raw["data"], models.Message)
        assert_type(raw["data"]["sequence"], int)
        # wrong: raw["data"]["noSuchMember"]
    elif raw["type"] == "tertulia.transfer-skill":
        assert_type(raw["data"], models.TransferSkillData)
    assert_type(event.consumer_text, "str | None")
    assert_type(event.message, "models.Message | None")
    sent = await event.reply("Hello", quick_replies={"type": "quickReplies"})
    assert_type(sent, models.PublishedMessage)
    assert_type(sent.get("sequence"), "int | None")
    # wrong: await event.reply(7)


async def use(tertulia: Tertulia) -> None:
    assert_type(tertulia.events(type=["message", "close"], cursor=FileCursor("x")), AsyncIterator[Event])
    # wrong: tertulia.events(cursor=7)
    assert_type(await tertulia.connection("b").get(), models.Connection)
    conversation = tertulia.conversation("c", connection="b")
    assert_type(await conversation.close(survey=False), models.AcceptedCommand)
    # wrong: await conversation.transfer(skill=5)
    await tertulia.start_bulk_job("close", {"updatedBefore": "2026-11-01T00:00:00Z"})
    # wrong: await tertulia.start_bulk_job("open", {"all": True})
    # wrong: await tertulia.start_bulk_job("close", {"before": "2026"})
    await tertulia.bot(narrow, at_once=8, cursor=MemoryCursor()).run()
    # wrong: tertulia.bot(narrow, atonce=8)
    try:
        await conversation.send_text("Hello")
    except ProblemError as problem:
        assert_type(problem.code, str)
        assert_type(problem.status, int)


def use_sync(tertulia: SyncTertulia) -> None:
    for row in tertulia.conversations(stage="OPEN"):
        assert_type(row["conversationId"], str)
    assert_type(tertulia.conversation("c").get(), models.Conversation)
    # wrong: tertulia.conversation("c").send_text()


def program() -> None:
    run_bot(narrow, connection=["a", "b"], start="earliest", on_error=lambda event, error: None)
    # wrong: run_bot(program)
