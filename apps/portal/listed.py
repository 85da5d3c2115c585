"""Rows of a list command where its answer is not what is wanted: how many there are of each, or the first few of many
lists. Rights, parameters and reach are those of the command; what is left out is the count of all, and their fields.
"""

from typing import Any

from django.db.models import Count, QuerySet

from apps.core import dispatch
from apps.core.lists import ListCommand, counted
from apps.core.mapping import check_text, flatten
from apps.portal.visits import Row, Visit


class Listed:
    def __init__(self, visit: Visit, name: str, /, **params: Any):
        spec = dispatch.authorised(visit.who, name)
        given = flatten(params)
        check_text(given)
        self.command: Any = spec.cls(visit.who)
        self.given = spec.parse(visit.who, given)

    @property
    def is_plain(self) -> bool:
        """What it lists is its rows, no more and no less."""
        return isinstance(self.command, ListCommand) and type(self.command).run is ListCommand.run

    def rows(self) -> QuerySet:
        given = dict(self.given)
        self.details = self.command.checked_details(given.pop("details", None))
        return self.command.rows(given.pop("keyword", ""), given)

    def tally(self, *columns: str) -> dict[Any, int]:
        """How many have which values: one statement."""
        found = self.rows().order_by().values_list(*columns).annotate(count=Count("pk"))
        return {values[0] if len(columns) == 1 else tuple(values): count for *values, count in found}

    def count(self) -> int:
        return counted(self.rows())

    def first(self, size: int) -> list[Row]:
        rows = self.rows().order_by(*self.command.ordering).values_list("pk", flat=True)
        keys = list(rows[:size])
        return self.command.answers(keys, self.details) if keys else []
