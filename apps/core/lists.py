"""Lists: declare model, response, filters and keyword columns; scope, paging, count and details are the kernel's."""

import time
from collections.abc import Mapping, Sequence
from hashlib import sha1
from typing import Any, ClassVar

from django.apps import apps
from django.core.cache import cache
from django.core.exceptions import EmptyResultSet
from django.db.models import Q, QuerySet

from apps.core import scope
from apps.core.callers import Caller
from apps.core.commands import Command
from apps.core.errors import InvalidParameter, ParserRefused
from apps.core.models import Tag
from apps.core.ownership import OwnedResource
from apps.core.refs import Known, RefFilter
from apps.core.settings import Setting
from apps.core.wire import Bool, Field, Int, List, Map, Str

PAGE_SIZE = Setting("default.page.size", 500, help_text="Rows of a page when none is asked for, and at most.")
SCOPE = ("listall", "isrecursive", "domainid", "account", "projectid")
DEAR_COUNT, KEPT_FOR = 10_000, 5  # a count above this is kept for so many seconds
SHARE = 20  # and at least so many times as long as it took: counting is never more than a twentieth of the time


class Page(Int):
    """An empty one is given all the same: the first."""

    def read(self, name: str, given: Mapping[str, Any], caller: Caller) -> Any:
        return 1 if given.get(name) == "" else super().read(name, given, caller)


class ListCommand(Command):
    """``filters`` is wire name -> lookup (a text column, compared without case), or a field with its own ``lookup``;
    a field without one is for ``narrow()``.
    """

    changes = False
    model: ClassVar[str] = ""
    filters: ClassVar[dict[str, str | Field]] = {}
    keyword_in: ClassVar[tuple[str, ...]] = ()
    ordering: ClassVar[tuple[str, ...]] = ("pk",)
    taggable: ClassVar[bool] = False
    has_ids: ClassVar[bool] = False
    details_words: ClassVar[tuple[str, ...]] = ()
    tells_count: ClassVar[bool] = False  # of those that the catalogue lets answer with the number of rows alone

    keyword = Str(help_text="List by keyword")
    page = Page(help_text="the page, from 1; with pagesize")
    pagesize = Int(help_text="the rows of a page, with page; -1 for all")

    def __init_subclass__(cls, **kwargs: Any):
        """The filters become fields: ``id`` and ``ids`` by themselves, the scope parameters where rows have owners."""
        super().__init_subclass__(**kwargs)
        if not cls.model:
            return
        added: dict[str, Any] = {"id": RefFilter(cls.model, "pk", help_text="list only the one with this id")}
        if cls.has_ids:
            several = RefFilter(cls.model, "pk")
            added["ids"] = List(of=several, lookup="pk__in", help_text="list only those with these ids; not with id")
        for name, lookup in cls.filters.items():
            added[name] = lookup if isinstance(lookup, Field) else Str(lookup=f"{lookup}__iexact")
            added[name].help_text = added[name].help_text or f"list those with this {name}"
        if cls.taggable:
            added["tags"] = Map(keys=("key", "value"), help_text="list those with all these tags (key/value pairs)")
        if cls.details_words:
            words = ", ".join(cls.details_words)
            added["details"] = List(help_text=f"comma separated list of the details to answer with: {words}")
        if cls.tells_count:
            added["retrieveonlyresourcecount"] = Bool(source="only_count", help_text="true: how many, and no rows")
        for name, field in added.items():
            if name not in vars(cls):
                setattr(cls, name, field)

    def run(self, page: int | None = None, pagesize: int | None = None, keyword: str = "", **given: Any) -> Any:
        start, size = bounds(page, pagesize)
        details, only_count = self.checked_details(given.pop("details", None)), given.pop("only_count", False)
        rows = self.rows(keyword, given)
        keys, count = ([], counted(rows)) if only_count else self.cut(rows, start, size)
        if not count:
            return {}
        answer: dict[str, Any] = {"count": count}
        if keys:
            answer[self.spec.answering.wire_name] = self.answers(keys, details)
        return answer

    def answers(self, keys: Sequence[int], details: list[str] | None) -> list[dict[str, Any]]:
        return self.spec.answering.of(self.caller, keys, details)

    def checked_details(self, words: list[str] | None) -> list[str] | None:
        if words and set(words) - set(self.details_words):
            allowed = ", ".join(self.details_words)
            raise InvalidParameter(
                f"The details parameter contains a non permitted value. The allowed values are [{allowed}]"
            )
        return words

    def rows(self, keyword: str, given: dict[str, Any]) -> QuerySet:
        if "id" in given and "ids" in given:
            raise InvalidParameter("id and ids cannot be given together")
        lookups = {}
        for name, field in self.spec.fields.items():
            if field.lookup and (key := field.source or name) in given:
                value = given[key]
                lookups[field.lookup] = value.rstrip(" ") if isinstance(value, str) else value
        words = self.words(keyword) if keyword else Q()
        rows = self.visible(given).filter(words, **lookups)
        for tag in given.pop("tags", ()) if self.taggable else ():  # an offering's "tags" are a column
            rows = rows.filter(pk__in=self._tagged(tag))
        return self.narrow(rows, given)

    def words(self, keyword: str) -> Q:
        found = Q()
        for column in self.keyword_in:
            found |= Q(**{f"{column}__icontains": keyword})
        return found

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        """Filters that are no single lookup: override, and read them from ``given``."""
        return rows

    def visible(self, given: dict[str, Any]) -> QuerySet:
        return apps.get_model(self.model).objects.visible_to(self.caller)

    def _tagged(self, tag: dict[str, str]) -> QuerySet:
        if not tag.get("value"):
            raise InvalidParameter(f"No value is passed in for key {tag.get('key')}")
        kind = apps.get_model(self.model)._meta.label_lower
        return Tag.objects.filter(kind=kind, key=tag.get("key", ""), value=tag["value"]).values("row_id")

    def cut(self, rows: QuerySet, start: int, size: int | None) -> tuple[list[int], int]:
        """Keys first, joins later: sorted with its joins, a page of a million rows costs seconds, not milliseconds."""
        keys = rows.order_by(*self.ordering).values_list("pk", flat=True)
        if size is None:
            return (found := list(keys)), len(found)
        found = list(keys[start : start + size])
        complete = len(found) < size and bool(found or not start)  # then there is nothing left to count
        return found, start + len(found) if complete else self.total(rows)

    def total(self, rows: QuerySet) -> int:
        """All that match; override where a table outgrows exact counting."""
        return counted(rows)


class OwnedListCommand(ListCommand):
    """A list of owned rows: takes the scope parameters."""

    taggable = True
    # Where rows that are not OwnedResource keep owner, domain_path and in_project (left out: they are in no project).
    scope_columns: ClassVar[dict[str, str]] = {}

    listall = Bool(help_text="all that the caller may see, not only its own")
    isrecursive = Bool(help_text="with domainid: and all domains below")
    domainid = Known("domains.Domain", help_text="list those of this domain")
    account = Str(help_text="list those of this account, in domainid")
    projectid = Known(
        "accounts.Account", minus_one=True, help_text="list those of this project; -1 for all the caller's projects"
    )

    def visible(self, given: dict[str, Any]) -> QuerySet:
        model: type[OwnedResource] = apps.get_model(self.model)
        rows = scope.resolve(self.caller, scope_of(given))
        if self.scope_columns:
            rows = scope.respelled(rows, self.scope_columns)
        return model.all_tenants.filter(model.named, rows)


class MemoryListCommand(Command):
    """A list that is no table: ``entries()`` gives all of it, and pages are ignored, as the protocol has it."""

    changes = False

    keyword = Str(help_text="List by keyword")
    page = Page(help_text="ignored: the list is short")
    pagesize = Int(help_text="ignored: the list is short")

    def run(self, page: int | None = None, pagesize: int | None = None, **given: Any) -> Any:
        bounds(page, pagesize)
        found = self.entries(**given)
        return {"count": len(found), self.spec.answering.wire_name: found} if found else {}

    def entries(self, **given: Any) -> list[dict[str, Any]]:
        raise NotImplementedError


def scope_of(given: dict[str, Any]) -> scope.Request:
    return scope.Request(by_id="id" in given or "ids" in given, **{n: given[n] for n in SCOPE if n in given})


def counted(rows: QuerySet) -> int:
    """The exact count; a dear one may be some seconds old. The key holds the query, so also the caller's scope."""
    try:
        sql, params = rows.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:  # filters that exclude each other: nobody has to be asked
        return 0
    key = "count:" + sha1(f"{sql} {params}".encode(), usedforsecurity=False).hexdigest()
    if (kept := cache.get(key)) is not None:
        return int(kept)
    begun = time.perf_counter()
    count = rows.count()
    if count > DEAR_COUNT:
        cache.set(key, count, max(KEPT_FOR, round(SHARE * (time.perf_counter() - begun))))
    return count


def bounds(page: int | None, pagesize: int | None) -> tuple[int, int | None]:
    """From which row, and how many: section 8, "Paging"."""
    largest = PAGE_SIZE.value()
    pagesize = None if pagesize == 0 else pagesize
    if pagesize == -1:
        if page is not None:
            raise InvalidParameter("Can't specify page parameter when pagesize is -1 (Unlimited)")
        return 0, None
    if page is None and pagesize is None:
        return 0, None if largest == -1 else largest
    if page is None or pagesize is None:
        missing, given = ("page", "pagesize") if page is None else ("pagesize", "page")
        raise ParserRefused(f'"{missing}" parameter is required when "{given}" is specified')
    if pagesize < 0:
        raise InvalidParameter(f"pagesize {pagesize} is not possible")
    if largest != -1 and pagesize > largest:
        raise InvalidParameter(f"Page size can't exceed max allowed page size value: {largest}")
    return (max(page, 1) - 1) * pagesize, pagesize
