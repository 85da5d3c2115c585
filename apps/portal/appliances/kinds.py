"""Machines that the cloud runs for itself."""

from django.utils.translation import gettext_lazy as _

from apps.portal.kinds import Action, Kind

SYSTEM_MACHINE = Kind(
    "appliances.SystemMachine",
    _("system machine"),
    _("system machines"),
    _("System machines"),
    "cpu",
    "listSystemVms",
    "system-machines",
    searched=True,
    actions=(
        Action("startSystemVm", "player-play", states=("Stopped",)),
        Action("stopSystemVm", "player-stop", states=("Running",)),
        Action("rebootSystemVm", "rotate", states=("Running",)),
        Action("destroySystemVm", "trash", states=("Running", "Stopped", "Error"), asks=True, danger=True),
    ),
)
ROUTER = Kind(
    "appliances.RouterMachine",
    _("virtual router"),
    _("virtual routers"),
    _("Virtual routers"),
    "router",
    "listRouters",
    "routers",
    searched=True,
    actions=(
        Action("startRouter", "player-play", states=("Stopped",)),
        Action("stopRouter", "player-stop", states=("Running",)),
        Action("rebootRouter", "rotate", states=("Running",)),
        Action("destroyRouter", "trash", states=("Running", "Stopped", "Error"), asks=True, danger=True),
    ),
)
