"""What a recorded answer asks of ours: status, headers, envelopes and errors alike; rows by their fields and types.
What we add to a row is no difference; what is missing is none where a deviations file says why.
"""

import json
import re
from pathlib import Path

from defusedxml import ElementTree

from tests.test_catalogue import CATALOGUE, COMMANDS, DEVIATIONS

SAMPLES = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "reference" / "wire-samples.jsonl").read_text().splitlines()
]
PLACEHOLDER = re.compile(r"{([a-z]+[\w.+-]*)}", re.IGNORECASE)
ANY = ("time", "ip", "mac", "vlan")  # another one each time
ERROR = ("uuidList", "errorcode", "cserrorcode", "errortext")


def filled(value, names):
    """With the placeholders that are known; of the others something has to be there."""
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda match: names.get(match[1], match[0]), value)
    if isinstance(value, dict):
        return {key: filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, names) for inner in value]
    return value


def matches(pattern, text, names):
    """A text with placeholders; those that are met for the first time take what they find."""
    if not isinstance(pattern, str) or not isinstance(text, str):
        return pattern == text
    parts, order, at = [], [], 0
    for match in PLACEHOLDER.finditer(pattern):
        parts.append(re.escape(pattern[at : match.start()]))
        known = names.get(match[1])
        parts.append(re.escape(known) if known is not None else "(.+?)")
        order += [match[1]] if known is None else []
        at = match.end()
    found = re.fullmatch("".join(parts) + re.escape(pattern[at:]), text, re.DOTALL)
    if found:
        names |= {name: text for name, text in zip(order, found.groups(), strict=True) if name not in ANY}
    return bool(found)


class Comparison:
    def __init__(self, sample, names):
        self.sample, self.names, self.problems = sample, names, []
        self.loose = sample.get("loose", ())
        self.agreed = self._agreed(sample["params"].get("command")) | self._agreed(self._of_the_job())

    def _of_the_job(self):
        """What is left out of a row is left out of it too where it is the result of a job."""
        body = self.sample["body"]
        job = body.get("queryasyncjobresultresponse", {}) if isinstance(body, dict) else {}
        name = job.get("cmd", "").rpartition(".")[2].removesuffix("Cmd")
        return name[:1].lower() + name[1:]

    def _agreed(self, command):
        """Names of fields that deviations files leave out, of all responses that this command may answer with."""
        entry, seen, found = COMMANDS.get(command, {}), set(), set(DEVIATIONS.get(command, ()))
        waiting = [entry.get("resp")] if isinstance(entry.get("resp"), str) else []
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            found |= DEVIATIONS.get(name, set())
            waiting += [f["resp"] for f in CATALOGUE["responses"].get(name, ()) if isinstance(f.get("resp"), str)]
        return found

    def say(self, where, theirs, ours):
        self.problems.append(f"{where}: {ours!r} instead of {theirs!r}")

    def answer(self, status, headers, cookies, content):
        if status != self.sample["status"]:
            self.say("status", self.sample["status"], f"{status} {content[:300]!r}")
            return self.problems
        self._headers(headers, cookies)
        body = self.sample["body"]
        if isinstance(body, dict):
            self._json(body, json.loads(content))
        elif body.startswith("<?xml"):
            self._xml(ElementTree.fromstring(body.encode()), ElementTree.fromstring(content))
        elif not matches(body, content.decode(), self.names):
            self.say("body", body, content)
        return self.problems

    def _headers(self, headers, cookies):
        for name, theirs in self.sample["headers"].items():
            if name == "Set-Cookie":
                self._cookies(theirs, cookies)
            elif name == "X-Description" and "errortext" in self.loose:
                if not headers.get(name):
                    self.say(name, theirs, None)
            elif not matches(theirs, headers.get(name), self.names):
                self.say(name, theirs, headers.get(name))
        if "X-Description" in headers and "X-Description" not in self.sample["headers"]:
            self.say("X-Description", None, headers["X-Description"])

    def _cookies(self, theirs, cookies):
        """A call that lets nobody in opens no session here, so it sets no cookie. What a cookie has to be, ours is too:
        the path that a browser would take by itself is said, and where one is deleted that comes in the end.
        """
        if self.sample["status"] != 200:
            return
        wanted = dict(cookie.partition("=")[::2] for cookie in theirs)
        for name, rest in wanted.items():
            ours = cookies.get(name)
            if ours is None:
                self.say(f"cookie {name}", rest, None)
                continue
            for word in ("HttpOnly", "SameSite", "Max-Age=0"):
                key, _, value = word.partition("=")
                if word in rest and str(ours[key.lower()]) not in (value, "True", "Lax"):
                    self.say(f"cookie {name}", rest, ours.OutputString())
            if "Max-Age=0" in rest and ours.value:
                self.say(f"cookie {name}", "", ours.value)

    def _json(self, theirs, ours):
        if theirs.keys() != ours.keys():
            return self.say("envelope", sorted(theirs), sorted(ours))
        (name,) = theirs
        if "errorcode" in theirs[name]:
            return self._error(theirs[name], ours[name])
        if "jobstatus" in theirs[name]:  # fields directly under the response
            return self._row(
                theirs[name], ours[name], name, exact=("jobstatus", "jobresultcode", "cmd", "jobresulttype")
            )
        if theirs[name].keys() != ours[name].keys() and "sessionkey" not in theirs[name]:
            return self.say(name, sorted(theirs[name]), sorted(ours[name]))
        if "count" in theirs[name] and theirs[name]["count"] != ours[name]["count"]:
            self.say("count", theirs[name]["count"], ours[name]["count"])
        return self._row(theirs[name], ours[name], name)

    def _error(self, theirs, ours):
        if set(theirs) != set(ours):
            return self.say("error", sorted(theirs), sorted(ours))
        for name in ERROR:
            if name in theirs and name not in self.loose and not self._same(theirs[name], ours[name]):
                self.say(name, theirs[name], ours[name])
        return None

    def _same(self, theirs, ours):
        if isinstance(theirs, list):
            return len(theirs) == len(ours) and all(map(self._same, theirs, ours))
        if isinstance(theirs, dict):
            return theirs.keys() == ours.keys() and all(self._same(theirs[key], ours[key]) for key in theirs)
        return matches(theirs, ours, self.names)

    def _row(self, theirs, ours, where, exact=()):
        for name, value in theirs.items():
            at = f"{where}.{name}"
            if name not in ours:
                if f"fields.{name}" not in self.agreed:
                    self.say(at, value, "no such field")
            elif name in exact:
                if value != ours[name]:
                    self.say(at, value, ours[name])
            else:
                self._value(value, ours[name], at)

    def _value(self, theirs, ours, where):
        if isinstance(theirs, dict) and isinstance(ours, dict):
            if "errorcode" in theirs:
                return self._error(theirs, ours)
            return self._row(theirs, ours, where)
        if isinstance(theirs, list) and isinstance(ours, list):
            for each, other in zip(theirs, ours, strict=False):
                self._value(each, other, where)
            if theirs and not ours:
                self.say(where, theirs, ours)
            return None
        whole = (
            isinstance(theirs, float) and isinstance(ours, int) or isinstance(theirs, int) and isinstance(ours, float)
        )
        if type(theirs) is not type(ours) and not (
            whole and not isinstance(theirs, bool) and not isinstance(ours, bool)
        ):
            return self.say(where, theirs, ours)
        if isinstance(theirs, str) and PLACEHOLDER.search(theirs) and not matches(theirs, ours, self.names):
            self.say(where, filled(theirs, self.names), ours)
        return None

    def _xml(self, theirs, ours):
        if (theirs.tag, theirs.keys()) != (ours.tag, ours.keys()):
            return self.say("root", (theirs.tag, theirs.keys()), (ours.tag, ours.keys()))
        found, wanted = tree(ours), tree(theirs)
        if "errorcode" in wanted:
            return self._error(wanted, found)
        if wanted.get("count") != found.get("count"):
            self.say("count", wanted.get("count"), found.get("count"))
        exact = ("jobstatus", "jobresultcode", "cmd", "jobresulttype")
        return self._row(wanted, found, theirs.tag, exact=exact if "jobstatus" in wanted else ())


def tree(element):
    """An element as a dict: a name that comes once as its value, one that comes again as a list."""
    found = {}
    for child in element:
        value = tree(child) if len(child) else child.text or ""
        if child.tag in found:
            before = found[child.tag]
            found[child.tag] = [*(before if isinstance(before, list) else [before]), value]
        else:
            found[child.tag] = value
    return found
