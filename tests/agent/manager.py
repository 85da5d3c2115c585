"""The manager as the agent sees it: enrolment, renewal and reports, with an authority of its own."""

import hashlib
import json
import ssl
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import serialization

from tests.agent.authority import HOST, MANAGER, Authority


class FakeManager:
    def __init__(self, folder, address="127.0.0.1", authority=None):
        self.folder, self.authority, self.address = folder, authority or Authority(), address
        folder.mkdir(parents=True, exist_ok=True)
        self.pair, self.authority_file = folder / "manager.pem", folder / "ca.pem"
        self.authority_file.write_text(self.authority.pem)
        self.authority.write_pair(self.pair, "manager", MANAGER)
        self.tokens, self.issued, self.revoked = {}, {}, set()
        self.reports, self.refused = [], []
        self.arrived = threading.Condition()
        self.port = 0

    @property
    def url(self):
        return f"https://{self.address}:{self.port}"

    def token(self, host=None, **validity):
        """Good once, for this host."""
        secret = uuid.uuid4().hex
        self.tokens[secret] = (host or str(uuid.uuid4()), validity)
        der = self.authority.certificate.public_bytes(serialization.Encoding.DER)
        return f"{hashlib.sha256(der).hexdigest()}.{secret}"

    def wait(self, condition, seconds=60.0):
        """Until ``condition(self)`` holds; its value."""
        with self.arrived:
            found = self.arrived.wait_for(lambda: condition(self), seconds)
        assert found, f"in {seconds} s there was no such report among {len(self.reports)}"
        return found

    def events(self, kind, **values):
        found = [event for report in self.reports for event in report["events"] if event["kind"] == kind]
        return [event for event in found if values.items() <= event.items()]

    @contextmanager
    def serving(self, port=0):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pair)
        context.load_verify_locations(self.authority_file)
        context.verify_mode = ssl.CERT_OPTIONAL
        server = ThreadingHTTPServer((self.address, port or self.port), type("Handler", (Handler,), {"manager": self}))
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    # -- what is asked

    def answer(self, path, peer, body):
        if path == "/agent/v1/ca":
            return 200, {"ca": self.authority.pem}
        if path == "/agent/v1/enrol":
            return self._enrol(body)
        host = self._host(peer)
        if host is None:
            self.refused.append(path)
            return 403, {"error": "no certificate of a host of ours"}
        if path == "/agent/v1/renew":
            return 200, {"certificate": self.authority.sign_request(body["csr"], host), "ca": self.authority.pem}
        if path == "/agent/v1/report" and body["host"] == host:
            with self.arrived:
                self.reports.append(body)
                self.arrived.notify_all()
            return 200, {"revoked": sorted(self.revoked)}
        return 404, {"error": path}

    def _enrol(self, body):
        """The same request with the same token again gets an answer again: the first one may have been lost."""
        if body["token"] in self.issued and self.issued[body["token"]][0] == body["csr"]:
            return 200, self.issued[body["token"]][1]
        if body["token"] not in self.tokens:
            return 403, {"error": "this token is not good, or was used"}
        host, validity = self.tokens.pop(body["token"])
        certificate = self.authority.sign_request(body["csr"], host, **validity)
        said = {"host": host, "certificate": certificate, "ca": self.authority.pem}
        self.issued[body["token"]] = (body["csr"], said)
        return 200, said

    def _host(self, peer):
        names = (peer or {}).get("subjectAltName", ())
        if ("URI", HOST) not in names or peer["serialNumber"].lstrip("0") in self.revoked:
            return None
        return dict(names)["DNS"]


class Handler(BaseHTTPRequestHandler):
    manager: FakeManager
    timeout = 10

    def setup(self):
        self.request.do_handshake()
        super().setup()

    def do_GET(self):
        self._answer({})

    def do_POST(self):
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body):
        status, said = self.manager.answer(self.path, self.request.getpeercert(), body)
        data = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        """Tests look at what arrived."""
