"""Sends requests that are generated from the service's OpenAPI document. No answer may be a failure of the service, and
every answer must match the document. The linters must find nothing in the document, and clients in two languages are
generated from it.

Starts a platform stand-in and a service of its own, on free ports of loopback, and ends them.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import jsonschema_rs
from openapi_spec_validator import validate

HERE = pathlib.Path(__file__).parent
BINARY = os.environ["TERTULIA_BIN"]
TOKEN = "contract"
WITHIN = 30

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
id = "someone"
account = "12345678"
role = "consumer"

[[connections]]
id = "stepper"
account = "12345678"
role = "consumer"

[[connections]]
id = "ringing"
account = "12345678"
role = "brand"
login = {{ username = "bot2", password = {{ env = "PASSWORD" }} }}
rings = "manual"
agent_state = "AWAY"

[[connections]]
id = "monitor"
account = "12345678"
role = "brand"
login = {{ username = "bot3", password = {{ env = "PASSWORD" }} }}
subscribe = {{ agents = "all" }}

[[connections]]
id = "shop"
account = "12345678"
role = "intake"
login = {{ app_key = "app", secret = {{ env = "APP_SECRET" }} }}

[drain]
within = "5s"

[engine]
path = "{directory}/data"
leases = "{directory}/leases"

[gateway]
listen = "127.0.0.1:0"
limits = {{ requests_per_second = 10000, burst = 10000 }}
tokens = [{{ name = "contract", token = {{ env = "CONTRACT_TOKEN" }}, scope = "write" }}]

[webhooks]
allow_internal = true
"""


def call(url, body=None, accept="*/*"):
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json", "accept": accept}
    request = urllib.request.Request(url, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=WITHIN) as response:
        return json.load(response)


def first_line(process):
    line = process.stdout.readline()
    if not line:
        sys.exit("the program ended before it was ready")
    return line


def until(is_so):
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        try:
            if found := is_so():
                return found
        except (urllib.error.HTTPError, json.JSONDecodeError):
            pass
        time.sleep(0.05)
    raise TimeoutError("it was not ready in time")


def main():
    with tempfile.TemporaryDirectory() as directory:
        emulate = [BINARY, "emulate", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        emulate += ["--ca-out", f"{directory}/ca.pem"]
        platform = subprocess.Popen(emulate, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        service = None
        try:
            stand_in = json.loads(first_line(platform))
            file = pathlib.Path(directory, "tertulia.toml")
            file.write_text(CONFIGURATION.format(listen=stand_in["listen"], directory=directory))
            environment = {**os.environ, "PASSWORD": "secret", "APP_SECRET": "emulator-secret", "CONTRACT_TOKEN": TOKEN}
            log = open(f"{directory}/log", "w")
            run = [BINARY, "--log-format", "json", "run", "--config", str(file)]
            service = subprocess.Popen(run, stdout=log, stderr=log, env=environment)
            gateway = until(lambda: address(pathlib.Path(directory, "log")))
            sys.exit(examine(gateway, f"http://{stand_in['control']}"))
        except TimeoutError:
            sys.stderr.write(pathlib.Path(directory, "log").read_text())
            raise
        finally:
            for process in filter(None, (service, platform)):
                process.terminate()
                process.wait(timeout=2 * WITHIN)


def address(log):
    """The service tells in its log where it listens."""
    for line in log.read_text().splitlines():
        if gateway := json.loads(line).get("gateway"):
            return f"http://{gateway}"
    return None


def examine(gateway, control):
    """First each row as it is meant, then whatever can be made of the description."""
    until(lambda: call(f"{gateway}/readyz")["ready"])
    conversations = []
    for _ in range(8):
        conversation = call(f"{control}/conversations", {})["id"]
        call(f"{control}/conversations/{conversation}/messages", {"text": "hello"})
        conversations.append(conversation)
    until(lambda: len(call(f"{gateway}/v1/conversations?connection=bots-1")["items"]) == len(conversations))
    environment = {**os.environ, "GATEWAY": gateway, "CONTROL": control, "TOKEN": TOKEN}
    environment["CONVERSATION"] = conversations.pop()
    document = call(f"{gateway}/openapi.json")
    validate(document)
    described = clients(document)
    rows = subprocess.run([HERE / "rows"], env=environment).returncode
    return walk(gateway, conversations) or rows or described or events(gateway, document)


def clients(document):
    """The linters find nothing, and the generated clients compile."""
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory, "openapi.json")
        file.write_text(json.dumps(document, indent=1))
        environment = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
        return subprocess.run([HERE / "clients", file], env=environment).returncode


def events(gateway, document):
    """Every event that these requests caused matches the document."""
    schema = {"$ref": "#/components/schemas/EventPage", "components": document["components"]}
    page_schema = jsonschema_rs.validator_for(schema)
    cursor, kinds = "earliest", set()
    while True:
        page = call(f"{gateway}/v1/events?after={cursor}&limit=1000", accept="application/json")
        page_schema.validate(page)
        kinds |= {event["type"] for event in page["items"]}
        if page["cursor"] == cursor:
            break
        cursor = page["cursor"]
    print(f"events as described, of {len(kinds)} kinds: {' '.join(sorted(kinds))}")
    return 0 if len(kinds) > 20 else 1


def walk(gateway, conversations):
    webhook = call(f"{gateway}/v1/webhooks", {"url": "http://127.0.0.1:9/", "enabled": False})["id"]
    connections = [connection["id"] for connection in call(f"{gateway}/v1/connections")["items"]]
    there = {"connection": ["bots-1", "someone"], "conversation": conversations, "webhook": [webhook]}
    stays = {"connection": connections, "webhook": [webhook]}
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks"}
    environment |= {"TERTULIA_THERE": json.dumps(there), "TERTULIA_STAYS": json.dumps(stays)}
    environment["PYTHONPATH"] = str(HERE)
    command = [pathlib.Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / "schemathesis.toml"]
    command += ["run", f"{gateway}/openapi.json"]
    command += ["-H", f"Authorization: Bearer {TOKEN}"]
    # Streams never end; they have tests of their own.
    command += ["--exclude-path", "/v1/events", "--exclude-path", "/v1/events/socket"]
    # The document does not describe the answers of the platform's other services. The rows above ask one of them.
    command += ["--exclude-path", "/v1/connections/{connection}/platform/{service}/{path}"]
    # Ids are taken as numbers too, as the platform has them, and not every text is one of something that is there.
    command += ["--exclude-checks", "negative_data_rejection,positive_data_acceptance"]
    command += ["--request-timeout", "40", "--seed", "5", "--continue-on-failure", "--workers", "1"]
    # Links between operations are guessed by their names, and guessed wrong.
    command += ["--phases", "examples,coverage,fuzzing"]
    command += sys.argv[1:] or ["--max-examples", "20"]
    return subprocess.run(command, env=environment, cwd=HERE).returncode


if __name__ == "__main__":
    main()
