# A bot that answers each message of a consumer exactly once, even if the bot, a node or the database is killed.
# TERTULIA_URL=http://127.0.0.1:8080 TERTULIA_TOKEN=... TERTULIA_CURSOR=cursor.txt python3 bot.py
import collections, concurrent.futures, http.client, json, os, pathlib, sys, time, urllib.error, urllib.request

FAILURES = (OSError, http.client.HTTPException, ValueError)
file, pool, answers = pathlib.Path(os.environ["TERTULIA_CURSOR"]), concurrent.futures.ThreadPoolExecutor(16), collections.deque()
cursor = file.read_text() if file.exists() else "earliest"

def call(path, body=None, **headers):
    url, headers["Authorization"] = f"{os.environ['TERTULIA_URL']}/v1/{path}", f"Bearer {os.environ['TERTULIA_TOKEN']}"
    return urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30)

def answer(event):
    while event["data"].get("role") == "CONSUMER":  # The same key gives the same reply, so the request may be repeated.
        headers = {"Content-Type": "application/json", "Idempotency-Key": event["id"]}
        body = json.dumps({"text": f"You said: {event['data']['body']}"}).encode()
        try:
            return call(f"conversations/{event['subject']}/messages", body, **headers).read() and event["id"]
        except FAILURES as error:
            print(event["id"], error, file=sys.stderr, flush=True) or time.sleep(0.2)
    return event["id"]

while True:
    try:
        for line in call(f"events?type=message&after={cursor}"):
            if line.startswith(b"data:"):
                answers.append(pool.submit(answer, event := json.loads(line[5:])))
                cursor = event["id"]
            while answers and (answers[0].done() or len(answers) > 64):
                file.with_suffix(".new").write_text(answers.popleft().result())
                file.with_suffix(".new").replace(file)
    except FAILURES as error:
        print(error, file=sys.stderr, flush=True)
        time.sleep(0.2)
