"""``pk__among=Keys(keys)`` says what ``pk__in=keys`` says, for keys that came from the database.

Django looks at each value of ``__in`` six times, a third of a page of 500 machines with their nested lists, and
binds each, which SQLite refuses beyond some ten thousands. Integers need neither.
"""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models.fields.related import ForeignObject


class Keys:
    """Integer keys as SQL; not iterable, so that Django passes it on as it is. ValueError for what is no integer."""

    def __init__(self, keys: Iterable[int]):
        self.sql = ",".join([format(key, "d") for key in keys])


@models.IntegerField.register_lookup
@ForeignObject.register_lookup
class Among(models.Lookup):
    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        if not self.rhs.sql:
            raise EmptyResultSet
        column, params = self.process_lhs(compiler, connection)
        return f"{column} IN ({self.rhs.sql})", params
