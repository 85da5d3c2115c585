"""How many rows an operator's lists have, for the menu: on every page, so by one statement that is made once and looks
at no more rows of a list than are told exactly. Each count has the conditions of its list command.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import EmptyResultSet
from django.db import connection

from apps.portal.kinds import KINDS
from apps.portal.listed import Listed
from apps.portal.visits import Visit

EXACT = 1000  # above it is told that there are more
KEPT = 200
Statement = tuple[str, tuple[Any, ...]]


class Totals:
    """By who may list what from where: such two see the same rows."""

    kept: ClassVar[dict[tuple[Any, ...], Statement]] = {}


def totals(visit: Visit, listings: Sequence[str]) -> Mapping[str, int]:
    asked = [name for name in listings if visit.may(name)]
    if not asked:
        return {}
    text, params = _statement(visit, tuple(asked))
    with connection.cursor() as cursor:
        cursor.execute(text, params)
        return dict(zip(asked, cursor.fetchone(), strict=True))


def _statement(visit: Visit, asked: tuple[str, ...]) -> Statement:
    key = (connection.vendor, visit.who.place, asked)
    if key not in Totals.kept:
        if len(Totals.kept) >= KEPT:
            Totals.kept.clear()
        counts = [_count(visit, name) for name in asked]
        text = ", ".join(f"({count})" for count, _params in counts)
        Totals.kept[key] = f"SELECT {text}", tuple(each for _count, params in counts for each in params)  # noqa: S608
    return Totals.kept[key]


def _count(visit: Visit, name: str) -> Statement:
    kind = next((kind for kind in KINDS.values() if kind.listing == name), None)
    given = kind.scope(visit) | kind.asked(visit) if kind else {"listall": "true"}
    rows = Listed(visit, name, **given).rows().order_by().values("pk")[: EXACT + 1]
    try:
        text, params = rows.query.sql_with_params()
    except EmptyResultSet:
        return "SELECT 0", ()
    return f"SELECT COUNT(*) FROM ({text}) few", params  # noqa: S608 - made by Django
