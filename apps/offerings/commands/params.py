"""Parameters that all kinds of offerings have."""

from typing import Any

from django.db.models import Q

from apps.core.callers import Access, Caller
from apps.core.errors import PermissionDenied
from apps.core.lists import ListCommand
from apps.core.reach import under
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool, Field, List, Str
from apps.domains.models import Domain
from apps.offerings.services.places import Places

NAME = Str(required=True, help_text="the name")
DISPLAY_TEXT = Str(source="display_text", help_text="what customers read; the name if absent")
SORT_KEY = "sort key of the portal"
STATES = ("Active", "Inactive")
MOST_GIB = 1 << 20  # of a disk: in bytes, thousands of such disks are still a number that databases know


class Everywhere(List):
    """As a list of ids; a word for all of them empties it."""

    words = ("public", "all")

    def parse(self, text: str, caller: Caller) -> list[Any]:
        return [] if text.lower() in self.words else super().parse(text, caller)


def domains(kind: type[List] = List) -> Field:
    of = Ref("domains.Domain", Access.OPERATE)
    return kind(of=of, source="domains", help_text="the domains that may use it, with those below; all if absent")


def zones(kind: type[List] = List) -> Field:
    of = Ref("infrastructure.Zone", Access.USE)
    return kind(of=of, source="zones", help_text="the zones it is offered in; all if absent")


def places_of(caller: Caller, given: dict[str, Any], *, new: bool) -> Places:
    """Takes both out of ``given``. A domain administrator cannot offer anything to domains that are not his."""
    chosen, where = given.pop("domains", None), given.pop("zones", None)
    if not caller.is_root and not chosen:
        if chosen is not None and not new:
            raise PermissionDenied("domainid: only root administrators offer something to all domains")
        chosen = [caller.account.domain] if new else None
    return Places(chosen, where)


class OfferingList(ListCommand):
    """Offerings of domains and zones, those that the caller may see."""

    keyword_in = ("name", "display_text")
    ordering = ("sort_key", "pk")

    zoneid = RefFilter("infrastructure.Zone", "", help_text="list those that are offered in this zone")
    domainid = RefFilter("domains.Domain", "", help_text="list those that are given to this domain")

    def narrow(self, rows: Any, given: dict[str, Any]) -> Any:
        if "domainid" in given:
            rows = rows.filter(pk__in=linked(rows.model, "domains", self._domains(given)))
        if "zoneid" in given:
            here = Q(pk__in=linked(rows.model, "zones", Q(zone=given["zoneid"])))
            rows = rows.filter(here | ~Q(pk__in=linked(rows.model, "zones", Q())))
        return rows

    def _domains(self, given: dict[str, Any]) -> Q:
        if not given.get("isrecursive"):
            return Q(domain=given["domainid"])
        path = Domain.including_removed.values_list("path", flat=True).get(pk=given["domainid"])
        return under(path, "domain__path")


class SizedList(OfferingList):
    """Offerings of machines and disks: the Active ones, unless ``state`` or ``id`` says otherwise."""

    isrecursive = Bool(help_text="with domainid: and to the domains below it")
    listall = Bool(help_text="changes nothing: all that the caller may see is listed")
    state = Str(choices=(*STATES, "all"), help_text="Active (the default), Inactive or all")
    storagetype = Str(lookup="storage_type__iexact", help_text="list those on local or on shared storage")

    def narrow(self, rows: Any, given: dict[str, Any]) -> Any:
        state = given.get("state", "all" if "id" in given else "Active")
        rows = rows if state == "all" else rows.filter(state=state)
        return super().narrow(rows, given)


def linked(model: Any, column: str, which: Q) -> Any:
    """Keys of the offerings that such a link goes out from."""
    field = model._meta.get_field(column)
    return field.remote_field.through.objects.filter(which).values(field.m2m_column_name())
