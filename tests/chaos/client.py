"""A signed client of the query API that tells a refusal from a lost connection."""

import base64
import hashlib
import hmac
import http.client
import json
import time
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

TIMEOUT = 90.0  # seconds: longer than SQLite waits for its lock


class Refused(Exception):
    def __init__(self, command: str, code: int, text: str):
        super().__init__(f"{command}: {code} {text}")
        self.command, self.code = command, code


class Lost(Exception):
    """No answer: whether it happened is not known, as for any client whose server died."""


class Client:
    def __init__(self, api: str, apikey: str, secretkey: str):
        parts = urlsplit(api)
        self.host, self.port, self.path = parts.hostname or "", parts.port, parts.path
        self.apikey, self.secretkey = apikey, secretkey

    def call(self, command: str, **params: Any) -> dict[str, Any]:
        query = {"command": command, "response": "json", "apiKey": self.apikey, **params}
        wire = {name: str(value) for name, value in query.items()}
        try:
            status, answer = self._get(urlencode(wire | {"signature": self._sign(wire)}, quote_via=quote))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Lost(f"{command}: {error}") from error
        if status != 200:
            raise Refused(command, status, str(answer.get("errortext", answer)))
        return answer

    def wait(self, jobid: str, patience: float = 8.0) -> dict[str, Any]:
        """The result of a job; Lost when it has not ended in time, as those of a worker that was killed do not: a lease
        lasts minutes, and who waited for it would be no load.
        """
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                job = self.call("queryAsyncJobResult", jobid=jobid)
            except Lost:
                job = {"jobstatus": 0}
            if job["jobstatus"] == 1:
                return dict(job["jobresult"])
            if job["jobstatus"] == 2:
                raise Refused(job.get("cmd", "job"), job["jobresultcode"], job["jobresult"]["errortext"])
            time.sleep(0.1)
        raise Lost(f"job {jobid} has not ended")

    def _get(self, query: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)
        try:
            connection.request("GET", f"{self.path}?{query}")
            answer = connection.getresponse()
            (body,) = json.loads(answer.read()).values()
            return answer.status, body
        finally:
            connection.close()

    def _sign(self, wire: dict[str, str]) -> str:
        pairs = sorted((name, quote(value, safe="*-._").replace("~", "%7E")) for name, value in wire.items())
        text = "&".join(f"{name}={value}" for name, value in pairs).lower()
        digest = hmac.new(self.secretkey.encode(), text.encode(), hashlib.sha1).digest()
        return base64.b64encode(digest).decode()
