"""One ASGI application. Ordinary requests go through Django's WSGI handler in a fixed pool of threads, so that each
thread keeps its database connection; files, and what waits for events, are answered beside it.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from a2wsgi import WSGIMiddleware

from cloudportal.wsgi import application as django

from apps.consoles import relay  # isort: skip - they need the settings
from apps.portal import gate, live, statics  # isort: skip - they need the settings

pages = WSGIMiddleware(
    django,  # type: ignore[arg-type]  # its responses are iterables of bytes
    workers=int(os.environ.get("WEB_THREADS", "8")),
)
Message = MutableMapping[str, Any]


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
    return await pages(scope, receive, send)  # type: ignore[arg-type]
