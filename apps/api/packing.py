"""Answers are sent packed to clients that say they can read it."""

import gzip

from django.http import HttpRequest, HttpResponse

LEAST = 1_024  # bytes; less is not worth it
LEVEL = 1  # a page of 500 rows becomes a tenth at every level, and ten times as dear at the last


def packed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    if len(response.content) < LEAST:
        return response
    response["Vary"] = "Accept-Encoding"
    if accepts_gzip(request.headers.get("Accept-Encoding", "")):
        response.content = gzip.compress(response.content, LEVEL, mtime=0)
        response["Content-Encoding"] = "gzip"
    return response


def accepts_gzip(header: str) -> bool:
    """By name, else by "*"; what has the quality 0 is refused."""
    said: dict[str, bool] = {}
    for piece in header.lower().split(","):
        name, _, quality = piece.partition(";")
        said[name.strip()] = quality.replace(" ", "").removeprefix("q=").strip("0.") != "" or not quality
    return said.get("gzip", said.get("x-gzip", said.get("*", False)))
