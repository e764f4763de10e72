import os

import httpx

from tertulia import Event, FileCursor, run_bot

model = httpx.AsyncClient(
    base_url=os.environ["LLM_URL"],  # such as https://api.example.com/v1
    headers={"authorization": f"Bearer {os.environ.get('LLM_TOKEN', '')}"},
    timeout=60,
)


async def answer(event: Event) -> None:
    if event.consumer_text is None:
        return
    await event.conversation.set_chat_state("COMPOSING")
    talk = [{"role": "system", "content": "You answer customers of a shop, in at most three sentences."}]
    for message in await event.conversation.messages():
        if isinstance(message["body"], str) and message["messageAudience"] == "ALL":
            role = "user" if message.get("role") == "CONSUMER" else "assistant"
            talk.append({"role": role, "content": message["body"]})
    request = {"model": os.environ.get("LLM_MODEL", "default"), "messages": talk}
    answered = await model.post("chat/completions", json=request)
    answered.raise_for_status()
    await event.reply(answered.json()["choices"][0]["message"]["content"])


run_bot(answer, connection="bots-1", cursor=FileCursor("bot.cursor"), at_once=8)
