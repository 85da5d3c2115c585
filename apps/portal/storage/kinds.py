"""Volumes and their offerings."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.portal.kinds import Action, Kind
from apps.portal.visits import Row


def _attached(row: Row) -> bool:
    return bool(row.get("virtualmachineid"))


def _loose(row: Row) -> bool:
    return not _attached(row)


def _is_root(row: Row) -> Any:
    return _("a root disk stays with its machine") if row.get("type") == "ROOT" else None


def _in_use(row: Row) -> Any:
    if row.get("type") == "ROOT":
        return _is_root(row)
    if _attached(row):
        return _("detach it from %(name)s first") % {"name": row.get("vmdisplayname") or row.get("vmname", "")}
    return _("it is protected from deletion") if row.get("deleteprotection") else None


VOLUME = Kind(
    "storage.Volume",
    _("volume"),
    _("volumes"),
    _("Volumes"),
    "database",
    "listVolumes",
    "volumes",
    creating="createVolume",
    searched=True,
    actions=(
        Action("attachVolume", "link", states=("Allocated", "Ready"), asks=True, shown=_loose),
        Action("detachVolume", "plug", states=("Ready",), asks=True, unless=_is_root, shown=_attached),
        Action("resizeVolume", "arrows-exchange", states=("Ready", "Allocated"), asks=True),
        Action("recoverVolume", "arrow-back-up", states=("Destroy",), shown=lambda row: row["state"] == "Destroy"),
        Action("updateVolume", "edit", asks=True),
        Action("destroyVolume", "trash", states=("Allocated", "Ready"), asks=True, danger=True, unless=_in_use),
    ),
)
