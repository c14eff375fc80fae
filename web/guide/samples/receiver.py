import base64, hashlib, hmac, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = base64.b64decode(os.environ["ACME_HOOK"].removeprefix("whsec_"))


def verified(headers, body):
    """Whether the portal signed these very bytes, in the last five minutes."""
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > 300:
        return False
    signed = f"{message_id}.{sent_at}.".encode() + body
    want = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest())
    return any(  # two signatures while a secret is being replaced
        hmac.compare_digest(want, signature.removeprefix("v1,").encode())
        for signature in headers.get("webhook-signature", "").split()
        if signature.startswith("v1,")
    )


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("content-length", 0)), 65536))
        if not verified(self.headers, body):
            self.send_error(401, "not signed by the portal")
            return
        print(self.headers["webhook-id"], body.decode(), flush=True)
        self.send_response(204)
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", 8090), Receiver).serve_forever()
