"""Security groups."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.portal.kinds import Action, Kind
from apps.portal.visits import Row


def _in_use(row: Row) -> Any:
    return _("machines are in it") if row.get("virtualmachinecount") else None


def _default(row: Row) -> Any:
    return _("every account has it") if row.get("name") == "default" else None


SECURITY_GROUP = Kind(
    "firewall.SecurityGroup",
    _("security group"),
    _("security groups"),
    _("Security groups"),
    "shield",
    "listSecurityGroups",
    "security-groups",
    creating="createSecurityGroup",
    searched=True,
    actions=(
        Action("updateSecurityGroup", "edit", asks=True, unless=_default),
        Action(
            "deleteSecurityGroup",
            "trash",
            given={"id": "id"},
            asks=True,
            danger=True,
            unless=lambda row: _default(row) or _in_use(row),
        ),
    ),
)
