"""Parts of responses that many rows share."""

from collections.abc import Callable, Sequence
from typing import Any

from apps.core.models import Detail
from apps.core.prepared import KeysSlot, Prepared
from apps.core.responses import Computed, Field, Response


class DetailResponse(Response):
    """Nested details of a row, where the wire has a list; ``details_of`` gives the map that most answers have."""

    wire_name = "details"
    model = "core.Detail"

    name = Field()
    value = Field()


def details_of(label: str) -> Callable[[Sequence[int]], dict[int, dict[str, Any]]]:
    """For ``Batch``: the details of rows of this kind, as the map ``details``."""

    shown = {"kind": label.lower(), "row_id__among": KeysSlot("keys"), "display": True}
    asked = Prepared(lambda: Detail.objects.filter(**shown).values_list("row_id", "name", "value"))

    def fn(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        for key, name, value in asked(keys=keys):
            found.setdefault(key, {"details": {}})["details"][name] = value
        return found

    return fn


def _if_project(name: Any, in_project: bool) -> Any:
    return name if in_project else None


def _if_account(name: Any, in_project: bool) -> Any:
    return None if in_project else name


class OwnedResponse(Response):
    """A row of a project names the project instead of the account that stands for it."""

    account = Computed(("owner__name", "in_project"), _if_account)
    project = Computed(("owner__name", "in_project"), _if_project)
    projectid = Computed(("owner__uuid", "in_project"), _if_project)
    domainid = Field("owner__domain__uuid")
    domain = Field("owner__domain__name")
    domainpath = Field("owner__domain__wire_path")


class TagResponse(OwnedResponse):
    wire_name = "tags"
    model = "core.Tag"

    key = Field()
    value = Field()
    customer = Computed(("customer",), lambda text: text or None, type="string")
    resourcetype = Field("resource_type")
    resourceid = Field("resource", type="string")
