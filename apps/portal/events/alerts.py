"""Alerts: what operators have to look at. They stay until somebody puts them away."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.portal.events.events import EXACT
from apps.portal.frame.columns import MONO
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.kinds import Action, Kind

ALERT = Kind(
    "events.Alert",
    _("alert"),
    _("alerts"),
    _("Alerts"),
    "alert-triangle",
    "listAlerts",
    "alerts",
    titles=("description",),
    has_page=False,
    actions=(
        Action("archiveAlerts", "box", given={"ids": "id"}),
        Action("deleteAlerts", "trash", given={"ids": "id"}, asks=True, danger=True),
    ),
)


class AlertList(ListPage):
    at = "alerts"
    nav = "/alerts"
    kind = ALERT
    columns = ("description", "name", "sent")
    filters = ("name",)
    bulk = ("archiveAlerts",)
    labels = {"name": _("Type"), "sent": _("When")}
    dressing = {"name": MONO, "sent": EXACT}
    searching = _("Text")
    hint = _("Nothing needs a look. What goes wrong with hosts, storage or capacity shows up here.")

    def _first_columns(self) -> list[str]:
        return list(self.columns)


class DeleteAlerts(Form):
    command = "deleteAlerts"
    danger = True
    lost = (_("The alert, for good"),)

    @property
    def hidden(self) -> dict[str, str]:
        given = self.given.get("ids", "")
        return {"ids": ",".join(given) if isinstance(given, list) else str(given)}

    @property
    def declared(self) -> dict[str, Any]:
        return {}

    @property
    def home(self) -> str:
        return ALERT.url()
