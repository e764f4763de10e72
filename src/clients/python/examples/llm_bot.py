import os

import httpx

from tertulia import Event, FileCursor, run_bot

model = httpx.AsyncClient(
    base_url=os.environ["MODEL_URL"],  # such as http://127.0.0.1:11434/v1
    headers={"authorization": f"Bearer {os.environ.get('MODEL_KEY', '')}"},
    timeout=60,
)


async def answer(event: Event) -> None:
    if event.message is None or event.consumer_text is None:
        return
    await event.conversation.set_chat_state("COMPOSING")
    talk = [{"role": "system", "content": "You answer the customers of a shop, in at most three sentences."}]
    for message in await event.conversation.messages(sequence_max=event.message["sequence"]):
        if isinstance(message["body"], str) and message["messageAudience"] == "ALL":
            role = "user" if message.get("role") == "CONSUMER" else "assistant"
            talk.append({"role": role, "content": message["body"]})
    request = {"model": os.environ.get("MODEL_NAME", "default"), "messages": talk}
    answered = await model.post("chat/completions", json=request)
    answered.raise_for_status()
    await event.reply(answered.json()["choices"][0]["message"]["content"])


async def hand_over(event: Event, error: Exception) -> None:
    """Whoever cannot be answered is transferred to people."""
    await event.conversation.transfer(skill_id=os.environ["SKILL_OF_PEOPLE"])


run_bot(answer, connection="bots-1", cursor=FileCursor("bot.cursor"), on_error=hand_over)
