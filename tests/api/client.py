"""A client of the query API as Django's test client sees it: it signs as the server of the original computes it."""

import base64
import hashlib
import hmac
from urllib.parse import quote, urlencode

import orjson
from django.test import Client

ENDPOINT = "/client/api"


def canonical(params):
    def escaped(value):
        return quote(str(value), safe="*-._").replace("~", "%7E")

    return "&".join(f"{name}={escaped(params[name])}" for name in sorted(params)).lower()


def signed(params, secret, text=None):
    digest = hmac.new(secret.encode(), (text or canonical(params)).encode(), hashlib.sha1).digest()
    return {**params, "signature": base64.b64encode(digest).decode()}


class Wire:
    """One browser or program: it keeps its cookies. ``user`` signs where no session does."""

    def __init__(self, user=None, secret=""):
        self.http, self.user, self.secret = Client(raise_request_exception=False), user, secret

    def params(self, command, given):
        params = {"command": command, "response": "json", **given}
        params = {name: str(value) for name, value in params.items() if value is not None}
        return signed({**params, "apiKey": self.user.api_key}, self.secret) if self.user else params

    def get(self, command, /, headers=None, **given):
        return self.raw("GET", urlencode(self.params(command, given), quote_via=quote), headers=headers)

    def post(self, command, /, headers=None, **given):
        body = urlencode(self.params(command, given), quote_via=quote)
        return self.raw("POST", body=body, headers=headers)

    def raw(self, method, query="", body="", path=ENDPOINT, kind="application/x-www-form-urlencoded", headers=None):
        more = {"QUERY_STRING": query}
        given = {"data": body.encode(), "content_type": kind} if body else {}
        return self.http.generic(method, path, headers=headers, **given, **more)

    def login(self, username, password="secret", **given):  # noqa: S107
        answer = self.post("login", username=username, password=password, **given)
        self.key = orjson.loads(answer.content).get("loginresponse", {}).get("sessionkey", "")
        return answer


def said(answer):
    """The inner object of a JSON answer, whatever its envelope is called."""
    (inner,) = orjson.loads(answer.content).values()
    return inner
