"""The query string of a page, with other values: every filter, sort and page has an address."""

from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict


class Query:
    def __init__(self, given: QueryDict, path: str):
        self.given, self.path = given, path

    def but(self, **changes: Any) -> str:
        """This address with these values instead; None takes one away. Another filter begins at the first page."""
        values = {name: self.given.getlist(name) for name in self.given}
        if changes.keys() - {"page"}:
            values.pop("page", None)
        for name, value in changes.items():
            values.pop(name, None)
            if value is not None and value != "":
                values[name] = [str(value)]
        return f"{self.path}?{urlencode(values, doseq=True)}" if values else self.path

    def alone(self, **values: Any) -> str:
        return f"{self.path}?{urlencode(values)}" if values else self.path

    def number(self, name: str, default: int, least: int = 1, most: int = 1 << 31) -> int:
        text = self.given.get(name, "")
        return max(least, min(int(text), most)) if text.isascii() and text.isdecimal() and len(text) < 10 else default
