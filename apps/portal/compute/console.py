"""The screen of a machine: a tab of its page, and a window of its own.

Written by hand: what is shown is no row, and the token that opens it is asked for by the page itself, for each
connection anew.
"""

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.errors import CloudError, text_for
from apps.portal.compute.kinds import MACHINE
from apps.portal.frame.detail import DetailPage, Tab
from apps.portal.frame.pages import Page
from apps.portal.visits import NotFound, Row, Visit

COMMAND = "createConsoleEndpoint"
RELAY = "/console/relay"  # a WebSocket, beside Django


def screen(key: str, name: str) -> dict[str, str]:
    return {"key": key, "name": name, "relay": RELAY, "ask": f"/console/{key}"}


class ConsoleTab(Tab):
    """``kind`` is that of the page; a tab asks for one, and lists none of it here."""

    def is_there(self, visit: Visit) -> bool:
        return visit.may(COMMAND)

    def context(self, page: DetailPage) -> dict[str, Any]:
        return {"tab": self, "screen": screen(page.key, page.title)}


CONSOLE = ConsoleTab(
    MACHINE, "", (), slug="console", label=gettext_lazy("Console"), template="portal/compute/console.html"
)


class ConsoleWindow(Page):
    """Also for somebody who has only an address from the API, with its token: nothing is told before it was good."""

    at = "console/<uuid:key>"
    nav = "/machines"
    for_everybody = True
    template = "portal/compute/console_window.html"

    @property
    def key(self) -> str:
        return str(self.where["key"])

    @cached_property
    def row(self) -> Row | None:
        return MACHINE.one_of(self.visit, self.key) if self.visit.caller else None

    @property
    def name(self) -> str:
        return MACHINE.title(self.row) if self.row else ""

    @property
    def title(self) -> str:
        return _("Console of %(name)s") % {"name": self.name} if self.name else _("Console")

    def context(self) -> dict[str, Any]:
        return {"screen": screen(self.key, self.name)}

    def post(self) -> HttpResponse:
        """A token for the next connection. It is asked for by a script, and told as JSON."""
        if self.visit.caller is None:
            return JsonResponse({"why": "4003"}, status=401)
        try:
            answer = self.visit.call(COMMAND, virtualmachineid=self.key)["consoleendpoint"]
        except CloudError as error:
            if error.code == 531 or self._is_absent():
                raise NotFound from error
            return JsonResponse({"said": text_for(error, self.visit.who.is_root)}, status=409)
        return JsonResponse({"token": answer["websocket"]["token"]})

    def _is_absent(self) -> bool:
        try:
            return self.row is None
        except NotFound:
            return True
