from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from django.db.models import QuerySet

from apps.core import scope
from apps.core.answers import TagResponse
from apps.core.callers import USER, Access, Caller
from apps.core.commands import AsyncCommand, command
from apps.core.errors import NOT_YOURS, InvalidParameter, PermissionDenied
from apps.core.lists import OwnedListCommand, scope_of
from apps.core.models import Tag
from apps.core.ownership import OwnedResource
from apps.core.refs import Compound
from apps.core.wire import EMPTY, UNKNOWN, Bad, Field, List, Map, Str, Uuid, escaped, uuid_or_none
from apps.tags import services

MISSING = "Unable to execute API command {command} due to missing parameter "


class Chosen(NamedTuple):
    word: str
    rows: list[OwnedResource]


class Resources(Compound):
    """Rows of one kind that the caller operates: an unknown one is 431, a foreign one 531, as everywhere."""

    parts: ClassVar[dict[str, Field]] = {
        "resourcetype": Str(required=True, help_text="what they are: UserVm, Volume, Network, ..."),
        "resourceids": List(required=True, help_text="comma separated ids of resources of that type"),
    }

    def read(self, name: str, given: Mapping[str, Any], caller: Caller) -> Chosen:
        for part in self.parts:
            if not given.get(part):
                raise Bad(MISSING + part if part not in given else EMPTY.replace("{name}", part))
        values = self.given_parts(given, caller)
        word, model, which = services.kind(values["resourcetype"])
        return Chosen(word, self._rows(model, which, values["resourceids"], caller))

    def _rows(self, model: Any, which: Any, texts: Sequence[str], caller: Caller) -> list[OwnedResource]:
        """By two queries, whatever their number; the first that is wrong is named."""
        wanted = {uuid_or_none(text) or "": text for text in texts}
        known = model.all_tenants.filter(model.named, which, uuid__in=wanted.keys() - {""})
        rows = {str(row.uuid): row for row in known.filter(model.reach.q(caller, Access.OPERATE))}
        if missing := [uuid for uuid in wanted if uuid not in rows]:
            foreign = {str(uuid) for uuid in known.filter(uuid__in=set(missing) - {""}).values_list("uuid", flat=True)}
            if missing[0] in foreign:
                raise PermissionDenied(NOT_YOURS)
            raise Bad(UNKNOWN.replace("{name}", "resourceids").replace("{value}", escaped(wanted[missing[0]])))
        return [rows[uuid] for uuid in wanted]


def records(given: list[dict[str, str]]) -> dict[str, str]:
    found = {record.get("key", ""): record.get("value", "") for record in given}
    if "" in found:
        raise InvalidParameter("tags: each has a key")
    return found


@command("createTags", roles=USER, event="CREATE_TAGS", response=None, locks=())
class CreateTags(AsyncCommand):
    """Puts tags on resources."""

    resources = Resources(source="chosen")
    tags = Map(required=True, keys=("key", "value"), help_text="key/value pairs")
    customer = Str(default="", help_text="whom it is for, where the caller acts for somebody else")

    def run(self, chosen: Chosen, tags: list[dict[str, str]], customer: str) -> dict[str, Any]:
        services.create(word=chosen.word, rows=chosen.rows, tags=records(tags), customer=customer)
        return {"success": True}


@command("deleteTags", roles=USER, event="DELETE_TAGS", response=None, locks=())
class DeleteTags(AsyncCommand):
    """Takes tags off resources."""

    resources = Resources(source="chosen")
    tags = Map(default=(), keys=("key", "value"), help_text="keys, with or without a value; all tags if absent")

    def run(self, chosen: Chosen, tags: list[dict[str, str]]) -> dict[str, Any]:
        services.delete(rows=chosen.rows, tags=records(tags))
        return {"success": True}


class ListedTagResponse(TagResponse):
    wire_name = "tag"


@command("listTags", roles=USER, response=ListedTagResponse)
class ListTags(OwnedListCommand):
    """Lists tags of resources."""

    model = "core.Tag"
    id = None
    taggable = False
    keyword_in = ("key", "value")
    filters = {
        "key": "key",
        "value": "value",
        "customer": "customer",
        "resourcetype": "resource_type",
        "resourceid": Uuid(lookup="resource"),
    }

    def visible(self, given: dict[str, Any]) -> QuerySet:
        return Tag.objects.filter(scope.resolve(self.caller, scope_of(given)))
