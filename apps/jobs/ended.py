"""Jobs as an operator looks at them afterwards: who asked for what, what came of it, and whether it may be sent again.

Sent again is what names a row that is there and answers with it, so that nothing is made; takes no secret; and belongs
to the same owner whoever sends it. And only while nobody has sent it since.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from django.apps import apps
from django.db.models import Max, QuerySet

from apps.core.commands import REGISTRY, CreateCommand, Spec
from apps.core.refs import GivenOwner, Owner
from apps.jobs.models import Job

FAILED = Job.Status.FAILED
OWNERS = {"account", "projectid"}
MAKING = ("create", "generate")  # below a row that they name: a range of a pod, an alert
OURS = {"customjobid"}  # the id of a job is its own
COLUMNS = (
    "pk", "uuid", "command", "status", "result_code", "row_kind", "row_id", "created", "completed",
    "account__name", "account__domain__wire_path", "user__username",
)  # fmt: skip
Row = Mapping[str, Any]


def told(jobs: QuerySet[Job]) -> list[dict[str, Any]]:
    """Results and parameters are read only of what failed: the others' may be large, or tell a secret."""
    rows = list(jobs.values(*COLUMNS))
    about, since = _about(rows), _latest(rows)
    keys = [row["pk"] for row in rows if row["status"] == FAILED]
    failed = Job.objects.filter(pk__in=keys).values("pk", "result", "params")
    more = {row["pk"]: row for row in failed} if keys else {}
    return [_told(row, about.get((row["row_kind"], row["row_id"]), {}), more.get(row["pk"]), since) for row in rows]


def _told(row: Row, about: Row, failed: Row | None, since: Mapping[tuple[Any, ...], int]) -> dict[str, Any]:
    is_last = since.get((row["row_kind"], row["row_id"], row["command"]), row["pk"]) == row["pk"]
    params = {name: value for name, value in failed["params"].items() if name not in OURS} if failed else {}
    return {
        "job": str(row["uuid"]),
        "command": row["command"],
        "status": row["status"],
        "code": row["result_code"],
        "text": _error(failed["result"]) if failed else "",
        "account": row["account__name"],
        "domain": row["account__domain__wire_path"],
        "user": row["user__username"] or "",
        "created": row["created"],
        "completed": row["completed"],
        "kind": about.get("kind", ""),
        "row": about.get("row", ""),
        "name": about.get("name", ""),
        "again": params if failed and is_last and about and _is_harmless(row, params) else None,
    }


def _error(stored: str) -> str:
    return str(orjson.loads(stored).get("errortext", "")) if stored else ""


def _is_harmless(row: Row, params: Mapping[str, str]) -> bool:
    spec = REGISTRY.get(row["command"])
    if spec is None or issubclass(spec.cls, CreateCommand) or not _answers_with(spec, row["row_kind"]):
        return False
    secrets = any(field.secret for field in spec.fields.values())
    return not secrets and (bool(OWNERS & params.keys()) or not _falls_to_who_asks(spec))


def _answers_with(spec: Spec, kind: str) -> bool:
    """Or with success, as what deletes does: an answer about another row tells of one that was made."""
    if spec.name.startswith(MAKING):
        return False
    if spec.response is None:
        return True
    model = spec.response.model
    return bool(model) and apps.get_model(model)._meta.db_table == apps.get_model(kind)._meta.db_table


def _falls_to_who_asks(spec: Spec) -> bool:
    return any(isinstance(field, Owner) and not isinstance(field, GivenOwner) for field in spec.fields.values())


def _about(rows: Iterable[Row]) -> dict[tuple[str, int], dict[str, str]]:
    """The rows that are still there; one query for each kind."""
    found: dict[tuple[str, int], dict[str, str]] = {}
    for kind in {row["row_kind"] for row in rows if row["row_id"]}:
        keys = [row["row_id"] for row in rows if row["row_kind"] == kind and row["row_id"]]
        found |= {(kind, key): one for key, one in _named(kind, keys)}
    return found


def _named(kind: str, keys: Sequence[int]) -> Iterable[tuple[int, dict[str, str]]]:
    try:
        model: Any = apps.get_model(kind)
    except LookupError:  # of a release that is gone
        return
    if not hasattr(model, "all_tenants"):
        return
    name = "name" if any(field.name == "name" for field in model._meta.fields) else "uuid"
    for key, uuid, called in model.all_tenants.filter(pk__in=keys).values_list("pk", "uuid", name):
        yield key, {"kind": model._meta.label, "row": str(uuid), "name": "" if name == "uuid" else called}


def _latest(rows: Iterable[Row]) -> dict[tuple[Any, ...], int]:
    """Of each row and command that failed, the key of the last job."""
    failed = [row for row in rows if row["status"] == FAILED and row["row_id"]]
    if not failed:
        return {}
    alike = Job.objects.filter(
        row_kind__in={row["row_kind"] for row in failed},
        row_id__in={row["row_id"] for row in failed},
        command__in={row["command"] for row in failed},
    )
    found = alike.order_by().values_list("row_kind", "row_id", "command").annotate(latest=Max("pk"))
    return {(kind, row, command): latest for kind, row, command, latest in found}
