"""One ASGI application. Ordinary requests go through Django's WSGI handler in a fixed pool of threads, so that each
thread keeps its database connection; what waits for events will be asynchronous beside it.
"""

import os

from a2wsgi import WSGIMiddleware

from cloudportal.wsgi import application as django

application = WSGIMiddleware(
    django,  # type: ignore[arg-type]  # its responses are iterables of bytes
    workers=int(os.environ.get("WEB_THREADS", "8")),
)
