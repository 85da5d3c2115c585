"""A question of the machine wizard: what is offered, what is read, what is wrong with it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.portal import looks
from apps.portal.compute.order import Order
from apps.portal.limits.limits import uses
from apps.portal.visits import Visit

Text = str | Promise
Given = Mapping[str, Any]
OFFERED = 200


class Step:
    number: ClassVar[int]
    label: ClassVar[Text]
    question: ClassVar[Text]
    template: ClassVar[str]

    def __init__(self, visit: Visit, order: Order):
        self.visit, self.order = visit, order
        self.errors: dict[str, str] = {}

    @property
    def is_done(self) -> bool:
        raise NotImplementedError

    @property
    def chosen(self) -> str:
        raise NotImplementedError

    def read(self, given: Given) -> None:
        """Into the order; what is wrong stands in ``errors``."""
        raise NotImplementedError

    def many(self, given: Given, name: str) -> list[str]:
        found = given.getlist(name) if hasattr(given, "getlist") else given.get(name, [])
        return list(found)

    def number_of(self, given: Given, name: str, least: int, most: int) -> int:
        text = str(given.get(name, "")).strip()
        if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
            self.errors[name] = _("A whole number from %(least)s to %(most)s") % {"least": least, "most": most}
            return 0
        return int(text)

    def over(self, words: tuple[str, ...]) -> list[dict[str, Any]]:
        """Limits that what was chosen would exceed."""
        found = uses(self.visit.account, words, self.order.takes())
        return [use for use in found if use["total"] is not None and use["used"] + use["add"] > use["total"]]

    def check_limits(self, name: str, words: tuple[str, ...]) -> None:
        for use in self.over(words):
            values = {
                "what": use["label"],
                "used": looks.number(use["used"]),
                "total": looks.number(use["total"]),
                "unit": use["unit"],
                "more": looks.number(use["used"] + use["add"] - use["total"]),
            }
            self.errors[name] = (
                _("%(what)s: %(used)s of %(total)s %(unit)s are in use; this is %(more)s too much.") % values
            ).replace("  ", " ")
