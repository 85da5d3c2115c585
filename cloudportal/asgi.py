"""One ASGI application. Ordinary requests go through Django's WSGI handler in a fixed pool of threads, so that each
thread keeps its database connection; files, and what waits for events, are answered beside it.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi import WSGIResponder

from cloudportal.wsgi import application as django

from apps.consoles import relay  # isort: skip - they need the settings
from apps.portal import gate, live, statics  # isort: skip - they need the settings

Message = MutableMapping[str, Any]


class Responder(WSGIResponder):
    """A thread that has an answer goes on to the next request. To wait three times for each, until the loop has taken
    status, body and end, cost a quarter of the calls of eight clients; our answers are whole, so the queue stays short.
    """

    def send(self, message: Any) -> None:
        self.loop.call_soon_threadsafe(self.send_queue.put_nowait, message)


class Pages(WSGIMiddleware):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await Responder(self.app, self.executor, send_queue_size=0)(scope, receive, send)


pages = Pages(
    django,  # type: ignore[arg-type]  # its responses are iterables of bytes
    workers=int(os.environ.get("WEB_THREADS", "8")),
)


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] == "http":
        if scope["path"].startswith(statics.PREFIX):
            return await statics.answer(scope, send)
        if scope["path"] == live.PATH:
            return await live.answer(scope, receive, send)
    if scope["type"] == "websocket":
        if scope["path"] == relay.PATH:
            return await relay.answer(scope, receive, send, cookie=gate.COOKIE)
        return await send({"type": "websocket.close"})
    return await pages(scope, receive, send)
