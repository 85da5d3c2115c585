"""Roles."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.portal.kinds import Action, Kind
from apps.portal.visits import Row


def _default(row: Row) -> Any:
    return _("it belongs to the product") if row.get("isdefault") else None


ROLE = Kind(
    "rbac.Role",
    _("role"),
    _("roles"),
    _("Roles"),
    "user-shield",
    "listRoles",
    "roles",
    creating="createRole",
    searched=True,
    actions=(
        Action("updateRole", "edit", asks=True, unless=_default),
        Action("enableRole", "player-play", shown=lambda row: row.get("state") == "disabled"),
        Action(
            "disableRole",
            "player-stop",
            asks=True,
            danger=True,
            shown=lambda row: row.get("state") == "enabled",
            unless=_default,
        ),
        Action("deleteRole", "trash", asks=True, danger=True, unless=_default),
    ),
)
