# A bot for a webhook with "replies": true that answers every message of a consumer. SECRET is the webhook's secret.
import base64, hmac, json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Bot(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
        signature = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        is_signed, data = signature in self.headers["webhook-signature"].split(), json.loads(body)["data"]
        reply = {"messages": [{"text": f"You said: {data['body']}"}]} if data.get("role") == "CONSUMER" else {}
        self.send_response(200 if is_signed else 401)
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Bot)
print(server.server_port, flush=True)
server.serve_forever()
