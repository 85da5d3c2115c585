"""The query API from outside, as any client calls it: signed, and jobs waited for."""

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request


class ApiError(Exception):
    def __init__(self, command, code, text):
        super().__init__(f"{command}: {code} {text}")
        self.code, self.text = code, text


class Api:
    def __init__(self, url, key, secret):
        self.url, self.key, self.secret = url, key, secret

    def call(self, command, /, *, within=120, **params):
        """The answer, or that of its job."""
        answer = self.ask(command, **params)
        return self.job(command, answer["jobid"], within) if "jobid" in answer else answer

    def ask(self, command, /, **params):
        given = {name: str(value) for name, value in params.items() if value is not None}
        given |= {"command": command, "response": "json", "apikey": self.key}
        pairs = [f"{name}={urllib.parse.quote(given[name], safe='*')}" for name in sorted(given, key=str.lower)]
        digest = hmac.new(self.secret.encode(), "&".join(pairs).lower().encode(), hashlib.sha1).digest()
        pairs.append(f"signature={urllib.parse.quote(base64.b64encode(digest), safe='')}")
        try:
            with urllib.request.urlopen(self.url, "&".join(pairs).encode(), timeout=150) as response:  # noqa: S310
                return next(iter(json.load(response).values()))
        except urllib.error.HTTPError as error:
            said = next(iter(json.load(error).values()))
            raise ApiError(command, said["errorcode"], said["errortext"]) from None

    def job(self, command, job, within):
        end = time.monotonic() + within
        while time.monotonic() < end:
            said = self.ask("queryAsyncJobResult", jobid=job)
            if said["jobstatus"] == 1:
                return said["jobresult"]
            if said["jobstatus"] == 2:
                raise ApiError(command, said["jobresult"]["errorcode"], said["jobresult"]["errortext"])
            time.sleep(0.05)
        raise AssertionError(f"{command}: its job has not ended after {within} s")

    def list(self, command, key, /, **params):
        return self.ask(command, **params).get(key, [])
