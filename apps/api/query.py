"""The parameters of a query request, as wire-protocol.md section 1 has them: decoded here, because no framework keeps
the last of two equal names in a query string and the first in a body, or takes a piece without "=" for an empty value.
"""

from urllib.parse import unquote_plus

BODY = "application/x-www-form-urlencoded"
LARGEST_BODY = 4 << 20  # bytes: user data of 1 MiB, three bytes a character when escaped, and room


def pairs(text: str) -> list[tuple[str, str]]:
    found = []
    for piece in text.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            found.append((unquote_plus(name), unquote_plus(value)))
    return found


def parameters(query: str, body: str) -> dict[str, str]:
    """Names as sent. The query string wins over the body."""
    given: dict[str, str] = {}
    for name, value in pairs(body):
        given.setdefault(name, value)
    return given | dict(pairs(query))
