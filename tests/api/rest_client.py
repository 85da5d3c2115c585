"""A client of REST: signs what it sends, or keeps a session."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import orjson
from django.test import Client

ROOT = "/api/v1"


def soon(**by):
    return (datetime.now(UTC) + timedelta(**by or {"minutes": 5})).strftime("%Y-%m-%dT%H:%M:%S+0000")


class Rest:
    def __init__(self, user=None, secret=""):
        self.http, self.user, self.secret, self.key = Client(raise_request_exception=False), user, secret, ""

    def signed(self, method, path, query, body):
        query = {"apikey": self.user.api_key, "expires": soon(), **query}
        said = {**query, ":method": method, ":path": path, ":body": hashlib.sha256(body).hexdigest()}
        text = "&".join(f"{n}={quote(str(said[n]), safe='*-._')}" for n in sorted(said)).lower()
        digest = hmac.new(self.secret.encode(), text.encode(), hashlib.sha1).digest()
        return {**query, "signature": base64.b64encode(digest).decode()}

    def send(self, method, path, body=None, headers=None, **query):
        sent = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        whole = path if path.startswith("/api") else ROOT + path
        query = {name: str(value) for name, value in query.items()}
        if self.user:
            query = self.signed(method, whole, query, sent)
        return self.raw(method, whole, urlencode(query), sent, headers)

    def raw(self, method, path, query="", body=b"", headers=None, kind="application/json"):
        headers = {**({"X-Session-Key": self.key} if self.key else {}), **(headers or {})}
        given = {"data": body, "content_type": kind} if body else {}
        return self.http.generic(method, path, headers=headers, QUERY_STRING=query, **given)

    def get(self, path, **query):
        return self.send("GET", path, **query)

    def post(self, path, body=None, **query):
        return self.send("POST", path, body, **query)

    def patch(self, path, body=None):
        return self.send("PATCH", path, body)

    def delete(self, path, **query):
        return self.send("DELETE", path, **query)
