"""The files of `static/`, served by the product itself: read once at start, each under a name that says its content, so
that browsers may keep it for ever. One request costs a look into a dictionary, and no thread of the pool.
"""

import gzip
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

PREFIX = "/static/"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
PACKED = (".css", ".js", ".svg", ".txt")  # the others are packed already
URL = re.compile(r"url\(\"?(?!data:|#)([^\")]+)\"?\)")

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Asset:
    url: str
    body: bytes
    packed: bytes
    content_type: str

    def headers(self, packs: bool) -> dict[str, str]:
        said = {
            "Content-Type": self.content_type,
            "Content-Length": str(len(self.packed if packs else self.body)),
            "Cache-Control": "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
            "Vary": "Accept-Encoding",
        }
        return said | ({"Content-Encoding": "gzip"} if packs else {})


@cache
def assets() -> dict[str, Asset]:
    """By the name in `static/`. Style sheets come last: they name the others."""
    root, found = Path(settings.STATIC_FOLDER), dict[str, Asset]()
    paths = [path for path in root.rglob("*") if path.is_file() and path.suffix in TYPES]
    for path in sorted(paths, key=lambda path: (path.suffix == ".css", path)):
        found[path.relative_to(root).as_posix()] = _asset(root, path, found)
    return found


def _asset(root: Path, path: Path, known: dict[str, Asset]) -> Asset:
    body = path.read_bytes()
    if path.suffix == ".css":
        folder = path.parent.relative_to(root)
        body = URL.sub(lambda found: f'url("{known[(folder / found[1]).as_posix()].url}")', body.decode()).encode()
    name = path.relative_to(root).with_suffix("").as_posix()
    url = f"{PREFIX}{name}.{sha256(body).hexdigest()[:10]}{path.suffix}"
    packed = gzip.compress(body, 9, mtime=0) if path.suffix in PACKED else body
    return Asset(url, body, packed, TYPES[path.suffix])


@cache
def _by_url() -> dict[str, Asset]:
    return {asset.url: asset for asset in assets().values()}


def url_of(name: str) -> str:
    """Of a file in `static/`; KeyError for one that is not there."""
    return assets()[name].url


def packs(asset: Asset, accepted: str) -> bool:
    return asset.packed is not asset.body and "gzip" in accepted


async def answer(scope: Scope, send: Send) -> None:
    """To the server, beside Django."""
    asset = _by_url().get(scope["path"]) if scope["method"] in ("GET", "HEAD") else None
    if asset is None:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        return await send({"type": "http.response.body", "body": b""})
    accepted = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"accept-encoding"), "")
    small = packs(asset, accepted)
    headers = [(name.lower().encode(), value.encode()) for name, value in asset.headers(small).items()]
    body = b"" if scope["method"] == "HEAD" else asset.packed if small else asset.body
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    return await send({"type": "http.response.body", "body": body})


def view(request: HttpRequest, name: str) -> HttpResponse:
    """The same where a server knows only Django: in tests, and behind another WSGI server."""
    asset = _by_url().get(f"{PREFIX}{name}")
    if asset is None or request.method not in ("GET", "HEAD"):
        return HttpResponse(status=404)
    small = packs(asset, request.headers.get("Accept-Encoding", ""))
    return HttpResponse(asset.packed if small else asset.body, headers=asset.headers(small))
