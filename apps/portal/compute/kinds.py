"""Machines, and what they are made of."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.portal.kinds import Action, Kind
from apps.portal.visits import Row


def _needs_password(row: Row) -> Any:
    return None if row.get("passwordenabled", True) else _("its template takes no password")


def _protected(row: Row) -> Any:
    return _("it is protected from deletion") if row.get("deleteprotection") else None


def _has_iso(row: Row) -> bool:
    return bool(row.get("isoid"))


def _is_user_vm(row: Row) -> bool:
    return not _has_iso(row)


MACHINE = Kind(
    "machines.VirtualMachine",
    _("machine"),
    _("machines"),
    _("Machines"),
    "server-2",
    "listVirtualMachines",
    "machines",
    titles=("displayname", "name"),
    creating="deployVirtualMachine",
    brief={"details": "nics"},
    searched=True,
    actions=(
        Action("createConsoleEndpoint", "terminal-2", states=("Running",), asks=True, tab="console", waits=False),
        Action("startVirtualMachine", "player-play", states=("Stopped",)),
        Action("stopVirtualMachine", "player-stop", states=("Running",)),
        Action("rebootVirtualMachine", "rotate", states=("Running",)),
        Action(
            "recoverVirtualMachine", "arrow-back-up", states=("Destroyed",), shown=lambda r: r["state"] == "Destroyed"
        ),
        Action("attachIso", "disc", states=("Running", "Stopped"), asks=True, shown=_is_user_vm),
        Action("detachIso", "disc", states=("Running", "Stopped"), shown=_has_iso),
        Action("changeServiceForVirtualMachine", "adjustments-horizontal", states=("Stopped",), asks=True),
        Action("resetPasswordForVirtualMachine", "key", states=("Stopped",), asks=True, unless=_needs_password),
        Action("resetSSHKeyForVirtualMachine", "key", states=("Stopped",), asks=True),
        Action("updateVirtualMachine", "edit", asks=True),
        Action("restoreVirtualMachine", "template", states=("Running", "Stopped"), asks=True, danger=True),
        Action(
            "destroyVirtualMachine",
            "trash",
            states=("Running", "Stopped", "Error"),
            asks=True,
            danger=True,
            unless=_protected,
        ),
        Action(
            "expungeVirtualMachine",
            "trash",
            states=("Destroyed", "Error"),
            asks=True,
            danger=True,
            shown=lambda row: row["state"] in ("Destroyed", "Error"),
        ),
    ),
)
NIC = Kind(
    "machines.Nic",
    _("network card"),
    _("network cards"),
    _("Network cards"),
    "plug",
    "listNics",
    "nics",
    titles=("networkname",),
    has_page=False,
    actions=(
        Action(
            "updateDefaultNicForVirtualMachine",
            "check",
            given={"virtualmachineid": "virtualmachineid", "nicid": "id"},
            asks=True,
            unless=lambda row: _("it is the default") if row.get("isdefault") else None,
        ),
        Action(
            "removeNicFromVirtualMachine",
            "plug",
            given={"virtualmachineid": "virtualmachineid", "nicid": "id"},
            asks=True,
            danger=True,
            unless=lambda row: _("it is the default one") if row.get("isdefault") else None,
        ),
    ),
)
KEY_PAIR = Kind(
    "accounts.SshKeyPair",
    _("key pair"),
    _("key pairs"),
    _("Key pairs"),
    "key",
    "listSSHKeyPairs",
    "key-pairs",
    key="name",
    has_page=False,
    creating="createSSHKeyPair",
    searched=True,
    actions=(Action("deleteSSHKeyPair", "trash", given={"name": "name"}, asks=True, danger=True),),
)
OS_TYPE = Kind(
    "images.OsType", _("system"), _("systems"), _("Systems"), "cpu", "listOsTypes", "systems", has_page=False
)
GROUP = Kind(
    "compute.InstanceGroup",
    _("group"),
    _("groups"),
    _("Groups"),
    "folder",
    "listInstanceGroups",
    "groups",
    has_page=False,
)
AFFINITY = Kind(
    "compute.AffinityGroup",
    _("affinity group"),
    _("affinity groups"),
    _("Affinity groups"),
    "arrows-exchange",
    "listAffinityGroups",
    "affinity-groups",
    has_page=False,
)
