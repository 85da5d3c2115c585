"""News of jobs for open pages, as server-sent events: one look a second serves all pages of a process, and none is made
while nobody listens. A page that cannot listen asks now and then by itself.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

from django.db import close_old_connections
from django.utils import timezone

from apps.accounts.services import sign_on
from apps.core import ports
from apps.portal.gate import COOKIE

log = logging.getLogger(__name__)
PATH = "/live"
EVERY = 1.0  # seconds between two looks
QUIET = 15.0  # seconds after which a sign of life is sent
AT_MOST = 600.0  # seconds of one stream: then the browser comes again, and its session is looked at again
STREAMS = 2_000
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

_threads = ThreadPoolExecutor(1, thread_name_prefix="live")  # its one database connection stays open


class Hub:
    """Who listens, and what was last told about which job."""

    def __init__(self) -> None:
        self.queues: dict[asyncio.Queue[str], int] = {}  # and the account that it is for
        self.told: dict[str, tuple[str, int]] = {}
        self.looking: asyncio.Task[None] | None = None

    def join(self, account: int) -> asyncio.Queue[str]:
        queue: asyncio.Queue[str] = asyncio.Queue(100)
        self.queues[queue] = account
        if self.looking is None or self.looking.done():
            self.looking = asyncio.get_running_loop().create_task(self._look())
        return queue

    def leave(self, queue: asyncio.Queue[str]) -> None:
        self.queues.pop(queue, None)

    async def _look(self) -> None:
        since = timezone.now()
        while self.queues:
            await asyncio.sleep(EVERY)
            now, accounts = timezone.now(), set(self.queues.values())
            try:
                found = await asyncio.get_running_loop().run_in_executor(_threads, _lately, accounts, since)
            except Exception:
                log.warning("jobs could not be looked at", exc_info=True)
                continue
            self._tell(found)
            since = now - timedelta(seconds=2 * EVERY)  # clocks of workers differ a little

    def _tell(self, found: list[dict[str, Any]]) -> None:
        seen = {job["job"]: (job["status"], job["progress"]) for job in found}
        for job in found:
            if self.told.get(job["job"]) != seen[job["job"]]:
                news = json.dumps({"job": job["job"], "status": job["status"], "progress": job["progress"]})
                for queue, account in self.queues.items():
                    if account == job["account"] and not queue.full():
                        queue.put_nowait(news)
        self.told = seen


def _lately(accounts: set[int], since: datetime) -> list[dict[str, Any]]:
    close_old_connections()
    return [dict(job) for job in ports.watch.one().lately(accounts, since)]


HUB = Hub()


async def answer(scope: Message, receive: Receive, send: Send) -> None:
    account = await asyncio.get_running_loop().run_in_executor(_threads, _account_of, scope)
    if account is None or len(HUB.queues) >= STREAMS:
        await send({"type": "http.response.start", "status": 401 if account is None else 503, "headers": []})
        return await send({"type": "http.response.body", "body": b""})
    queue = HUB.join(account)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await _stream(queue, gone, send)
    finally:
        gone.cancel()
        HUB.leave(queue)


async def _stream(queue: asyncio.Queue[str], gone: asyncio.Future[None], send: Send) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await _say(send, "retry: 2000\n\n")
    loop = asyncio.get_running_loop()
    end = loop.time() + AT_MOST
    while loop.time() < end and not gone.done():
        news = asyncio.ensure_future(queue.get())
        await asyncio.wait((news, gone), timeout=QUIET, return_when=asyncio.FIRST_COMPLETED)
        if news.done():
            await _say(send, f"event: job\ndata: {news.result()}\n\n")
        else:
            news.cancel()
            await _say(send, ": still here\n\n")
    await send({"type": "http.response.body", "body": b""})


async def _say(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _account_of(scope: Message) -> int | None:
    """Of the session in the cookie. Listening does not keep a session alive."""
    close_old_connections()
    text = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"), "")
    cookie = SimpleCookie(text).get(COOKIE)
    session = sign_on.session_of(cookie.value, touch=False) if cookie else None
    return session.user.account_id if session else None
