"""News for open pages: one look serves all of them, and each hears of its own account only."""

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async

from apps.accounts.services import sign_on
from apps.core import dispatch
from apps.portal import live
from apps.portal.gate import COOKIE


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(live, "EVERY", 0.02)
    monkeypatch.setattr(live, "HUB", live.Hub())


class Listener:
    def __init__(self, cookie):
        self.sent, self.gone = [], asyncio.Event()
        self.scope = {"headers": [(b"cookie", f"{COOKIE}={cookie}".encode())] if cookie else []}

    async def send(self, message):
        self.sent.append(message)

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    @property
    def news(self):
        bodies = b"".join(m.get("body", b"") for m in self.sent).decode()
        return [json.loads(line[6:]) for line in bodies.splitlines() if line.startswith("data: ")]

    async def until(self, true):
        for _ in range(200):
            if true():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("waited in vain")


def cookie_of(caller):
    user = caller.account.users.get()
    user.account = caller.account
    return sign_on.open_session(user).cookie


@pytest.mark.django_db(transaction=True)
def test_news_of_jobs_reach_those_they_are_for(make, quick):
    alice, bob = make.caller(), make.caller("bob")
    vm = make.vm(alice.account, state="Stopped")
    mine, other = cookie_of(alice), cookie_of(bob)

    async def scene():
        hers, his = Listener(mine), Listener(other)
        tasks = [asyncio.ensure_future(live.answer(x.scope, x.receive, x.send)) for x in (hers, his)]
        await hers.until(lambda: hers.sent and his.sent)
        job = (await sync_to_async(dispatch.call)(alice, "startVirtualMachine", id=vm.uuid))["jobid"]
        await hers.until(lambda: hers.news)
        for each in (hers, his):
            each.gone.set()
        await asyncio.gather(*tasks)
        return job, hers, his

    job, hers, his = asyncio.run(scene())

    assert hers.news[0] == {"job": job, "status": "queued", "progress": 0}
    assert his.news == []
    assert dict(hers.sent[0]["headers"])[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert live.HUB.queues == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cookie", ["", "made up"])
def test_a_stranger_hears_nothing(cookie, quick):
    async def scene():
        listener = Listener(cookie)
        await live.answer(listener.scope, listener.receive, listener.send)
        return listener

    assert asyncio.run(scene()).sent[0]["status"] == 401


@pytest.mark.django_db(transaction=True)
def test_nobody_looks_while_nobody_listens(make, quick, monkeypatch):
    alice = make.caller()
    looks = []
    monkeypatch.setattr(live, "_lately", lambda accounts, since: looks.append(accounts) or [])
    cookie = cookie_of(alice)

    async def scene():
        listener = Listener(cookie)
        task = asyncio.ensure_future(live.answer(listener.scope, listener.receive, listener.send))
        await listener.until(lambda: looks)
        listener.gone.set()
        await task
        await asyncio.sleep(0.1)
        before = len(looks)
        await asyncio.sleep(0.2)
        return before, len(looks)

    before, after = asyncio.run(scene())

    assert before == after
