"""Responses are projections: a declaration is compiled once per view into one ``values()`` query plus one per nested
list, so a list has a constant number of queries and builds no model. ``details=`` prunes before the query is made.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, cached_property
from typing import Any, ClassVar

import orjson
from django.apps import apps
from django.db import connection, models
from django.db.models import ExpressionWrapper, F

from apps.core import ports
from apps.core.callers import Caller
from apps.core.prepared import KeysSlot, Prepared


class View(Enum):
    RESTRICTED = "tenants and domain administrators"
    FULL = "root"


ALL, FULL = frozenset(View), frozenset({View.FULL})


@dataclass(frozen=True)
class Field:
    """One column, of the row or of a row it points to: ``Field("vm__host__name", view=FULL)``."""

    source: str = ""
    view: frozenset[View] = ALL
    detail: str = ""  # only with this word in details=; always without
    help_text: str = ""
    type: str = ""  # as listApis says it; from the column if empty


@dataclass(frozen=True)
class Computed:
    """A value made of columns; ``fn`` gets them in the order of ``sources`` and must not query. Without columns it is
    the same for every row and asked once.
    """

    sources: tuple[str, ...]
    fn: Callable[..., Any]
    view: frozenset[View] = ALL
    detail: str = ""
    help_text: str = ""
    type: str = ""  # as listApis says it; from the annotation of ``fn`` if empty
    few: bool = False  # of columns with few different values: kept for each, and never to be changed by who reads it


@dataclass(frozen=True)
class Many:
    """A nested list: one more query. ``link`` is its column with our key, ``by_kind`` for tables that serve all."""

    response: type["Response"]
    link: str
    by_kind: bool = False
    view: frozenset[View] = ALL
    detail: str = ""
    help_text: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)  # narrows the rows of the list

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True, eq=False)
class Batch:
    """Values of a whole page by one function of its keys, with a constant number of queries: sums, counters, rows of
    other kinds. ``fn(keys)`` gives for each key the fields it has; ``fields`` says their types.
    """

    fn: Callable[[Sequence[int]], Mapping[int, Mapping[str, Any]]]
    fields: Mapping[str, str]
    view: frozenset[View] = ALL
    detail: str = ""
    help_text: str = ""


class Response:
    """Declares fields as class attributes; ``source`` defaults to the wire name. A null value is left out."""

    wire_name: ClassVar[str]
    model: ClassVar[str] = ""
    with_jobs: ClassVar[bool] = False  # tells "jobid" and "jobstatus" while a job about the row is under way

    @classmethod
    @cache  # noqa: B019 - classes live as long as the process
    def declared(cls) -> dict[str, "Part"]:
        kinds = Field | Computed | Many | Batch
        named = {n: v for base in reversed(cls.__mro__) for n, v in vars(base).items()}  # None drops what a base has
        return {n: v for n, v in named.items() if isinstance(v, kinds)}

    @classmethod
    def check(cls) -> None:
        """A source that does not exist stops the start, not the first list."""
        if not cls.model:
            return
        whole = projection(cls, View.FULL, None)
        whole.query(whole.model._base_manager.all())

    @classmethod
    def of(cls, caller: Caller, keys: Sequence[int], details: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """The rows with these keys as this caller may see them, in this order."""
        words = {field.detail for field in cls.declared().values()}
        wanted = None if details is None or "all" in details else frozenset(words.intersection(details))
        view = View.FULL if caller.is_root else View.RESTRICTED
        answers = projection(cls, view, wanted).rows(keys)
        if cls.with_jobs and answers:
            kind = apps.get_model(cls.model)._meta.label_lower
            for key, uuid in ports.jobs.one().pending(kind, list(answers)).items():
                answers[key] |= {"jobid": uuid, "jobstatus": 0}
        return list(answers.values())


class Plain(Response):
    """An answer that is no row: ``fields`` says what ``run()`` puts into its dictionary, for listApis and OpenAPI."""

    fields: ClassVar[dict[str, str]] = {}


Part = Field | Computed | Many | Batch
Reads = list[tuple[int, Callable[[Any], Any] | None]]  # place in the raw row, and how it is told
KEPT = 256  # values of one projection's fields of few values
_PROJECTIONS: dict[Any, "Projection"] = {}


def projection(response: type[Response], view: View, details: frozenset[str] | None) -> "Projection":
    """Compiled at the first use and kept: classes live as long as the process."""
    key = (response, view, details)
    if key not in _PROJECTIONS:
        _PROJECTIONS[key] = _compiled(response, view, details)
    return _PROJECTIONS[key]


def _compiled(response: type[Response], view: View, details: frozenset[str] | None) -> "Projection":
    def shown(part: Part) -> bool:
        return view in part.view and (not part.detail or details is None or part.detail in details)

    return Projection(response, view, {n: f for n, f in response.declared().items() if shown(f)})


class Projection:
    """One response, one view, one choice of details: its columns, and how a raw row becomes an answer."""

    def __init__(self, response: type[Response], view: View, fields: dict[str, Part]):
        self.model: Any = apps.get_model(response.model)
        self.view = view
        self.many = {n: f for n, f in fields.items() if isinstance(f, Many)}
        self.batches = [f for f in fields.values() if isinstance(f, Batch)]
        plain = {n: f.source or n for n, f in fields.items() if isinstance(f, Field)}
        computed = {n: f for n, f in fields.items() if isinstance(f, Computed)}
        self.sources = list(dict.fromkeys([*plain.values(), *(s for f in computed.values() for s in f.sources)]))
        at = {source: place for place, source in enumerate(self.sources, start=1)}
        self.plain = [(n, at[s], column(self.model, s)) for n, s in plain.items()]
        told = {n: f.fn() for n, f in computed.items() if not f.sources}
        self.same = {n: value for n, value in told.items() if value is not None}
        self.computes = [(n, f, [at[s] for s in f.sources]) for n, f in computed.items() if f.sources]
        self.kept: dict[tuple[Any, ...], Any] = {}

    @cached_property
    def reads(self) -> list[tuple[str, int, Callable[[Any], Any] | None]]:
        """At the first use, not at start: how ids are stored is asked of the database."""
        return [(name, place, wire_form(field)) for name, place, field in self.plain]

    @cached_property
    def computed(self) -> list[tuple[str, Computed, Reads]]:
        forms = [wire_form(column(self.model, source)) for source in self.sources]
        return [(name, how, [(place, forms[place - 1]) for place in places]) for name, how, places in self.computes]

    def query(self, rows: models.QuerySet, key: str = "pk") -> models.QuerySet:
        names = [f"c{place}" for place in range(len(self.sources))]
        columns = {n: as_stored(self.model, s) for n, s in zip(names, self.sources, strict=True)}
        return rows.annotate(**columns).values_list(key, *names)

    @cached_property
    def asked(self) -> Prepared:
        return Prepared(lambda: self.query(self.model._base_manager.filter(pk__among=KeysSlot("keys"))))

    @cached_property
    def nests(self) -> dict[str, tuple["Projection", Prepared, Prepared | None]]:
        """By name of a nested list: how its rows are told, their query by the keys of ours, and where that does not say
        it, to which of ours each belongs.
        """
        return {name: self._nested(many) for name, many in self.many.items()}

    def _nested(self, many: Many) -> tuple["Projection", Prepared, Prepared | None]:
        inner = projection(many.response, self.view, None)
        where = {**many.where, **({"kind": self.model._meta.label_lower} if many.by_kind else {})}
        if not many.by_kind and hasattr(inner.model, "removed"):
            where["removed"] = None

        def rows() -> models.QuerySet:
            mine = {f"{many.link}__among": KeysSlot("keys")}
            return inner.model._base_manager.filter(**mine, **where).order_by("pk")

        if not (inner.many or inner.batches):
            return inner, Prepared(lambda: inner.query(rows(), many.link)), None
        return inner, Prepared(lambda: inner.query(rows())), Prepared(lambda: rows().values_list("pk", many.link))

    def rows(self, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        found = {raw[0]: raw for raw in self.asked(keys=keys)}
        answers = {key: self.answer(found[key]) for key in keys if key in found}
        self._complete(answers)
        return answers

    def _complete(self, answers: dict[int, dict[str, Any]]) -> None:
        """What is not in the row's own query: one more per nested list and batch, whatever the number of rows."""
        for name in self.many:
            self._nest(answers, name)
        for batch in self.batches if answers else ():
            for key, values in batch.fn(list(answers)).items():
                answers[key] |= {name: value for name, value in values.items() if value is not None}

    def _nest(self, answers: dict[int, dict[str, Any]], name: str) -> None:
        for answer in answers.values():
            answer[name] = []  # clients expect [] here, not an absent key
        if not answers:
            return
        inner, asked, linked = self.nests[name]
        if linked is None:
            for raw in asked(keys=answers):
                answers[raw[0]][name].append(inner.answer(raw))
            return
        links = dict(linked(keys=answers))
        nested = {raw[0]: inner.answer(raw) for raw in asked(keys=answers)}
        inner._complete(nested)
        for key, answer in nested.items():
            answers[links[key]][name].append(answer)

    def answer(self, raw: tuple[Any, ...]) -> dict[str, Any]:
        answer = dict(self.same)
        for name, place, form in self.reads:
            if (value := raw[place]) is not None:
                answer[name] = form(value) if form else value
        for name, how, reads in self.computed:
            value = self._few(name, how, reads, raw) if how.few else _value(how, reads, raw)
            if value is not None:
                answer[name] = value
        return answer

    def _few(self, name: str, how: Computed, reads: Reads, raw: tuple[Any, ...]) -> Any:
        key = (name, *[raw[at] for at, _ in reads])
        if key not in (kept := self.kept):
            kept = self.kept = {**(kept if len(kept) < KEPT else {}), key: _value(how, reads, raw)}
        return kept[key]


def _value(how: Computed, reads: Reads, raw: tuple[Any, ...]) -> Any:
    return how.fn(*[form(raw[at]) if form and raw[at] is not None else raw[at] for at, form in reads])


def column(model: Any, source: str) -> models.Field:
    """The field at the end of a path; FieldDoesNotExist if there is none."""
    *path, last = source.split("__")
    for step in path:
        model = model._meta.get_field(step).related_model
    return model._meta.pk if last == "pk" else model._meta.get_field(last)


def as_stored(model: Any, source: str) -> ExpressionWrapper | F:
    """Ids, dates and documents are read as text: Django would make 500 x 5 objects of them, and we strings again."""
    raw = isinstance(column(model, source), models.UUIDField | models.DateTimeField | models.JSONField)
    return ExpressionWrapper(F(source), output_field=models.CharField()) if raw else F(source)


def wire_form(field: models.Field) -> Callable[[Any], Any] | None:
    if isinstance(field, models.DateTimeField):
        return wire_date
    if isinstance(field, models.UUIDField) and not connection.features.has_native_uuid_field:
        return dashed
    if isinstance(field, models.JSONField):
        return orjson.loads
    return None


def wire_date(value: Any) -> str:
    """CloudStack's form, offset without colon. The column is a naive UTC datetime or, on SQLite, its text."""
    text = str(value)
    return f"{text[:10]}T{text[11:19]}+0000"


def dashed(value: str) -> str:
    return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"


WIRE_TYPES: tuple[tuple[Any, str], ...] = (
    (models.BooleanField, "boolean"),
    (models.DateTimeField, "date"),
    (models.BigIntegerField, "long"),
    (models.BigAutoField, "long"),
    (models.IntegerField, "integer"),
    (models.FloatField, "float"),
    (models.JSONField, "map"),
)
ANNOTATED = {bool: "boolean", int: "integer", float: "float", list: "list", dict: "map", str: "string"}


def wire_type(response: type[Response], part: Field | Computed, name: str) -> str:
    """The type that listApis and OpenAPI say."""
    if part.type:
        return part.type
    if isinstance(part, Field):
        found = column(apps.get_model(response.model), part.source or name)
        return next((wire for kind, wire in WIRE_TYPES if isinstance(found, kind)), "string")
    said = part.fn.__annotations__.get("return") if hasattr(part.fn, "__annotations__") else None
    return next((wire for kind, wire in ANNOTATED.items() if said in (kind, kind | None)), "string")


def encode(response_name: str, answer: dict[str, Any]) -> bytes:
    """The body on the wire: exactly one top-level key."""
    return orjson.dumps({response_name: answer})
