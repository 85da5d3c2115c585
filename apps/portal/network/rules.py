"""The tab of a network's page with its rules."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from django.core.signing import BadSignature
from django.http import HttpResponse
from django.utils.translation import gettext as _

from apps.core.errors import CloudError
from apps.portal import services
from apps.portal.compute.kinds import MACHINE
from apps.portal.frame.fields import about
from apps.portal.frame.pages import Page
from apps.portal.models import Begun
from apps.portal.network.editors import EDITORS, Editor, Text, Typed
from apps.portal.network.kinds import ADDRESS, NETWORK
from apps.portal.visits import NotFound, Row
from apps.portal.words import verb


class Rules(Page):
    """A tab of the page of a network."""

    at = "networks/<uuid:key>/rules"
    nav = "/networks"
    template = "portal/network/rules.html"

    @cached_property
    def network(self) -> Row:
        return NETWORK.one_of(self.visit, str(self.where["key"]))

    @property
    def title(self) -> str:
        return str(self.network["name"])

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        return [(NETWORK.many, NETWORK.url())]

    @property
    def address(self) -> str:
        return f"/networks/{self.network['id']}/rules"

    @property
    def head(self) -> Any:
        """The frame around all tabs of the network."""
        from apps.portal.network.networks import NetworkPage

        page = NetworkPage(self.visit, key=self.network["id"], tab="rules")
        page.__dict__["row"] = self.network
        return page

    @cached_property
    def addresses(self) -> list[Row]:
        if not self.visit.may(ADDRESS.listing):
            return []
        return list(ADDRESS.rows(self.visit, associatednetworkid=self.network["id"], page=1, pagesize=100).rows)

    @cached_property
    def machines(self) -> list[Row]:
        if not self.visit.may(MACHINE.listing):
            return []
        given = {"networkid": self.network["id"], "details": "min", "page": 1, "pagesize": 200}
        found = MACHINE.rows(self.visit, **given).rows
        return [row for row in found if row["state"] not in ("Destroyed", "Expunging", "Error")]

    @cached_property
    def editors(self) -> list[Editor]:
        return [editor for editor in (cls(self) for cls in EDITORS) if editor.is_there]

    @property
    def has_groups(self) -> bool:
        guarded = any(each["name"] == "SecurityGroup" for each in self.network.get("service", []))
        return guarded and self.visit.may("listSecurityGroups")

    def editor(self, at: str) -> Editor:
        found = next((editor for editor in self.editors if editor.at == at), None)
        if found is None:
            raise NotFound
        return found

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    def get(self) -> HttpResponse:
        self.network  # noqa: B018 - what is somebody else's is not found
        if at := self.given("add"):
            self.editor(at).typed = Typed(self.visit.request.GET.dict())
        if self.visit.is_fragment:
            return self.part("portal/network/rules_part.html")
        return super().get()

    def post(self) -> HttpResponse:
        given = self.visit.request.POST.dict()
        editor = self.editor(given.get("add", ""))
        params = editor.read(given)
        if self.visit.is_fragment:  # while it is typed
            return self.part("portal/network/problems.html", editor=editor)
        if editor.typed.problems:
            return self.render(status=422)
        return self._send(editor, params, given.get("_token", ""))

    def _send(self, editor: Editor, params: dict[str, Any], token: str) -> HttpResponse:
        try:
            sending = services.claim(self.visit.user, token)
        except services.SentBefore:
            self.visit.say("warn", _("This was sent before"), _("It was carried out once."))
            return self.go(self.address)
        except BadSignature:
            editor.typed.wrong("", _("This page was too old. Nothing was sent: send it again."))
            return self.render(status=422)
        about_ = (editor.kind.label, "", self.title)
        begun = services.carry_out(self.visit, editor.creating, params, about=about_)
        if begun.state == Begun.State.REFUSED:
            services.take_back(sending)
            return self._refused(editor, begun)
        services.led_to(sending, self.address)
        self.visit.follow(str(verb(editor.creating)), begun.job)
        return self.go(self.address)

    def _refused(self, editor: Editor, begun: Begun) -> HttpResponse:
        error = CloudError(begun.text)
        name, text = about(error, begun.text, editor.names)
        editor.typed.wrong(name, text)
        return self.render(status=422)

    @property
    def is_busy(self) -> bool:
        rows: Iterator[Row] = (row for editor in self.editors for row in editor.rows)
        return any(row.get("state") in ("Add", "Revoke", "Staged") for row in rows)
