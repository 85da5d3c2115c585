"""Statements that are asked all the time, made once.

Django builds the text of a query anew each time, and that costs four times what the database needs to answer it by
key: half a millisecond of processor for a row with what belongs to it, a third of a deployment. What a worker or the
entrance asks for every job and every call is built once for the life of the process, with slots for its values::

    KEYS = Prepared(lambda: Claim.objects.filter(holder=Slot("holder")).values_list("key", flat=True))
    KEYS(holder="job:7")

Rows come out as those of the queryset would: models with what ``select_related`` names, tuples, or single values.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, models, transaction
from django.db.models.query import FlatValuesListIterable, ModelIterable, ValuesListIterable, get_related_populators

from apps.core.keys import Keys

UUID = models.UUIDField()


class Slot(models.Expression):
    """The place of a value that is given later: a number, a text, an id or a time, never NULL and never a list."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", (self,)


class KeysSlot:
    """The place of ``Keys``, for ``pk__among``."""

    def __init__(self, name: str):
        self.name, self.sql = name, f"<keys {name}>"


class Prepared:
    def __init__(self, build: Callable[[], models.QuerySet]):
        """``build`` makes the query, at its first use."""
        self._build = build
        self._made: dict[str, _Statement] = {}

    def __call__(self, **values: Any) -> list[Any]:
        made = self._statement()
        if not (sql := made.sql):
            return []
        for name in made.keys:
            if not (given := Keys(values[name]).sql):
                return []
            sql = sql.replace(KeysSlot(name).sql, given)
        return made.rows(sql, values)

    def _statement(self) -> "_Statement":
        made = self._made.get(connection.vendor)
        if made is None:
            made = self._made[connection.vendor] = _Statement(self._build())
        return made

    def first(self, **values: Any) -> Any:
        """The first row, or None. That one is enough says the query itself: ``[:1]``."""
        return next(iter(self(**values)), None)

    def one(self, **values: Any) -> Any:
        """The one row; DoesNotExist where there is none."""
        for row in self(**values):
            return row
        raise self._statement().model.DoesNotExist(f"there is no row for {values}")


class _Statement:
    def __init__(self, rows: models.QuerySet):
        compiler = rows.query.get_compiler(rows.db)
        self.model: Any = rows.model
        self.keys: list[str] = []
        try:
            self.sql, self.params = compiler.as_sql()
        except EmptyResultSet:  # whatever the values are: it is not asked
            self.sql = ""
            return
        self.keys = re.findall(KeysSlot(r"(\w+)").sql, self.sql)
        columns = compiler.select[: compiler.col_count]
        converters = compiler.get_converters([column[0] for column in columns])
        self.converters = [(at, how, what) for at, (how, what) in converters.items()]
        self.shape = _shape(rows, compiler)

    def rows(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        params = [_adapted(values[each.name]) if isinstance(each, Slot) else each for each in self.params]
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            found = cursor.fetchall()
        if self.converters:
            found = [self._converted(list(row)) for row in found]
        return self.shape(found)

    def _converted(self, row: list[Any]) -> list[Any]:
        for at, converters, expression in self.converters:
            for convert in converters:
                row[at] = convert(row[at], expression, connection)
        return row


Shape = Callable[[Iterable[Any]], list[Any]]


def _shape(rows: models.QuerySet, compiler: Any) -> Shape:
    kind = rows._iterable_class
    if kind is FlatValuesListIterable:
        return lambda found: [row[0] for row in found]
    if kind is ValuesListIterable:
        return lambda found: [tuple(row) for row in found]
    if kind is not ModelIterable or compiler.annotation_col_map:
        raise TypeError("a prepared query gives models, tuples or single values")
    return _models(rows.db, compiler)


def _models(db: str, compiler: Any) -> Shape:
    info = compiler.klass_info
    start, end = info["select_fields"][0], info["select_fields"][-1] + 1
    names = [column[0].target.attname for column in compiler.select[start:end]]
    populators: Any = get_related_populators
    related = populators(info, compiler.select, db)

    def shape(found: Iterable[Any]) -> list[Any]:
        made = []
        for row in found:
            made.append(one := info["model"].from_db(db, names, row[start:end]))
            for each in related:
                each.populate(row, one)
        return made

    return shape


def _adapted(value: Any) -> Any:
    """As the fields do it that such a value is compared with."""
    if isinstance(value, uuid.UUID):
        return UUID.get_db_prep_value(value, connection)
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


_TEXTS: dict[tuple[Any, ...], str] = {}
NOTHING: Mapping[str, Any] = {}


def changed(
    model: Any,
    where: Mapping[str, Any],
    values: Mapping[str, Any] = NOTHING,
    *,
    plus: Mapping[str, int] = NOTHING,
    most: Mapping[str, int] = NOTHING,
) -> int:
    """How many rows were there to change: ``filter(**where).update(**values)``, for plain values and equality.

    ``plus`` is added to what columns say, where those in ``most`` say at most that.
    """
    tests = [(name, "IS NULL" if given is None else "= %s") for name, given in where.items()]
    tests += [(name, "<= %s") for name in most]
    key = (connection.vendor, model, tuple(values), tuple(plus), tuple(tests))
    text = _TEXTS.get(key) or _TEXTS.setdefault(key, _update(model, values, plus, tests))
    given = [*values.items(), *plus.items(), *(pair for pair in where.items() if pair[1] is not None), *most.items()]
    with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
        cursor.execute(text, [_stored(_field(model, name), value) for name, value in given])
        return int(cursor.rowcount)


def _field(model: Any, name: str) -> Any:
    return model._meta.pk if name == "pk" else model._meta.get_field(name)


def _stored(field: models.Field, value: Any) -> Any:
    if hasattr(value, "prepare_database_save"):
        value = value.prepare_database_save(field)
    return field.get_db_prep_save(value, connection)


def _update(model: Any, values: Iterable[str], plus: Iterable[str], tests: Iterable[tuple[str, str]]) -> str:
    def quoted(name: str) -> str:
        return str(connection.ops.quote_name(_field(model, name).column))

    sets = [f"{quoted(name)} = %s" for name in values] + [f"{quoted(name)} = {quoted(name)} + %s" for name in plus]
    asked = " AND ".join(f"{quoted(name)} {test}" for name, test in tests)
    table = connection.ops.quote_name(model._meta.db_table)
    return f"UPDATE {table} SET {', '.join(sets)} WHERE {asked}"  # noqa: S608 - our names
