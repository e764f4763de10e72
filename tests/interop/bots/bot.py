# A complete bot. It answers each message of a consumer exactly once, even if the bot or the service is killed.
# python3 bot.py http://127.0.0.1:8080 bots-1 cursor.txt
import http.client, json, pathlib, sys, time, urllib.error, urllib.request

gateway, connection, file = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
known, cursor = {}, file.read_text() if file.exists() else "earliest"

def call(path, body=None, **headers):
    try:
        return urllib.request.urlopen(urllib.request.Request(f"{gateway}/v1/{path}", body, headers), timeout=60)
    except urllib.error.HTTPError as error:
        if error.code == 429 or error.code >= 500:
            raise
        print(path, error.read().decode(), file=sys.stderr)

def handle(event, me):
    conversation, data = event.get("subject"), event["data"]
    if event["type"] == "tertulia.conversation":
        known[conversation] = data
    if event["type"] == "tertulia.message" and data["originatorId"] != me and data["role"] == "CONSUMER":
        seen = known.get(conversation) or json.load(call(f"conversations/{conversation}"))
        body = json.dumps({"text": f"Skill {seen['skillId']} heard: {data['body']}"}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": event["id"]}
        call(f"conversations/{conversation}/messages", body, **headers)

while True:
    try:
        me = json.load(call(f"connections/{connection}"))["userId"]
        for line in call(f"events?connection={connection}&after={cursor}"):
            if line.startswith(b"data:"):
                event = json.loads(line.removeprefix(b"data:"))
                handle(event, me)
                cursor = event["id"]
                file.with_suffix(".new").write_text(cursor)
                file.with_suffix(".new").replace(file)
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(error, file=sys.stderr)
        time.sleep(0.5)
