"""Global settings: search, scope, where a value comes from, who changed it.

Written by hand: a setting has a chain of values, of which the innermost counts.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.core.errors import CloudError, text_for
from apps.portal import looks, services
from apps.portal.events.kinds import EVENT
from apps.portal.frame.pages import Page
from apps.portal.frame.query import Query
from apps.portal.infrastructure.kinds import CLUSTER, POOL, ZONE
from apps.portal.kinds import Kind
from apps.portal.visits import NotFound, Row

Text = str | Promise
SIZE = 50
# Parameter of the commands, and whose value it names.
SCOPES: dict[str, tuple[str, Kind]] = {
    "zoneid": ("Zone", ZONE),
    "clusterid": ("Cluster", CLUSTER),
    "storageid": ("StoragePool", POOL),
}
HIDDEN = "••••••"


def shown(row: Row) -> str:
    """What is secret has a value that nobody is told."""
    return str(row.get("value", HIDDEN if row.get("category") == "Secure" else ""))


@dataclass
class Link:
    """Of the chain: whose value, which, and whether it is the one that counts."""

    name: Text
    value: str
    remark: Text = ""
    wins: bool = False


class Settings(Page):
    at = "settings"
    nav = "/settings"
    template = "portal/configuration/settings.html"

    @property
    def title(self) -> str:
        return _("Global settings")

    @cached_property
    def query(self) -> Query:
        return Query(self.visit.request.GET, self.visit.request.path)

    # whose values

    @cached_property
    def scope(self) -> dict[str, str]:
        given = self.visit.request.POST.get("at", "") if self.visit.request.method == "POST" else self.given("at")
        name, _colon, key = given.partition(":")
        return {name: key} if name in SCOPES and key else {}

    @property
    def at_value(self) -> str:
        return next((f"{name}:{key}" for name, key in self.scope.items()), "")

    @property
    def places(self) -> list[tuple[str, str, bool]]:
        found = [("", _("everywhere (global)"), not self.scope)]
        for name, (_word, kind) in SCOPES.items():
            if self.visit.may(kind.listing):
                for row in kind.rows(self.visit, page=1, pagesize=100).rows:
                    value = f"{name}:{row['id']}"
                    found.append((value, f"{kind.one} {kind.title(row)}", value == self.at_value))
        return found

    @cached_property
    def place(self) -> str:
        for name, key in self.scope.items():
            kind = SCOPES[name][1]
            return f"{kind.one} {kind.title(kind.one_of(self.visit, key))}"
        return str(_("global"))

    # which

    @property
    def keyword(self) -> str:
        return self.given("keyword")

    @property
    def group(self) -> str:
        return self.given("group")

    @cached_property
    def found(self) -> list[Row]:
        given = {name: value for name, value in (("keyword", self.keyword), ("group", self.group)) if value}
        return list(self.visit.call("listConfigurations", **self.scope, **given).get("configuration", []))

    @property
    def which(self) -> str:
        return self.given("which") if self.given("which") in ("changed", "restart") else ""

    @cached_property
    def chosen(self) -> list[Row]:
        if self.which == "changed":
            return [row for row in self.found if self.is_changed(row)]
        return [row for row in self.found if not row.get("isdynamic", True)] if self.which else self.found

    @staticmethod
    def is_changed(row: Row) -> bool:
        """Somebody has set it, here or around here."""
        return "updated" in row

    @property
    def whiches(self) -> list[tuple[Text, int, str, bool]]:
        changed = sum(map(self.is_changed, self.found))
        restart = sum(not row.get("isdynamic", True) for row in self.found)
        counts = (
            ("", _("All"), len(self.found)),
            ("changed", _("Changed"), changed),
            ("restart", _("Need a restart"), restart),
        )
        return [(text, n, self.query.but(which=word, open=None), word == self.which) for word, text, n in counts]

    @property
    def groups(self) -> list[tuple[str, str]]:
        if not self.visit.may("listConfigurationGroups"):
            return []
        rows = self.visit.call("listConfigurationGroups").get("configurationgroup", [])
        return [
            (_("All"), self.query.but(group=None)),
            *[(row["name"], self.query.but(group=row["name"])) for row in rows],
        ]

    @property
    def number(self) -> int:
        return self.query.number("page", 1)

    @property
    def shown(self) -> list[dict[str, Any]]:
        start = (self.number - 1) * SIZE
        return [self.line(row) for row in self.chosen[start : start + SIZE]]

    def line(self, row: Row) -> dict[str, Any]:
        changed = self.is_changed(row)
        is_open = row["name"] == self.open_name
        return {
            "row": row,
            "value": shown(row),
            "changed_by": row.get("updatedby", ""),
            "from": (self.place if self.scope else _("global")) if changed else _("default"),
            "changed": changed,
            "open": is_open,
            "url": self.query.but(open=None if is_open else row["name"]),
        }

    @property
    def range_said(self) -> str:
        start = (self.number - 1) * SIZE
        last = min(start + SIZE, len(self.chosen))
        values = {"first": start + 1 if last else 0, "last": last, "all": looks.number(len(self.chosen))}
        return _("%(first)s–%(last)s of %(all)s") % values

    @property
    def before(self) -> str:
        return self.query.but(page=self.number - 1) if self.number > 1 else ""

    @property
    def after(self) -> str:
        return self.query.but(page=self.number + 1) if self.number * SIZE < len(self.chosen) else ""

    @property
    def sum_said(self) -> str:
        changed = sum(map(self.is_changed, self.found))
        return _("%(count)s known, %(changed)s changed from the default") % {
            "count": looks.number(len(self.found)),
            "changed": changed,
        }

    # the one that is open

    @property
    def open_name(self) -> str:
        return self.given("open")

    @cached_property
    def opened(self) -> Row:
        return next((row for row in self.found if row["name"] == self.open_name), {})

    @property
    def chain(self) -> list[Link]:
        row = self.opened
        everywhere = self.visit.call("listConfigurations", name=row["name"])["configuration"][0]
        found = [
            Link(_("default"), str(row.get("defaultvalue", "")), _("of the product")),
            Link(_("global"), shown(everywhere), _("as it is set for all")),
        ]
        if self.scope:
            word = next(SCOPES[name][0] for name in self.scope)
            can = word.lower() in str(row.get("scope", "")).lower()
            remark = _("as it is set here, or as around it") if can else _("cannot be set here")
            found.append(Link(self.place, shown(row) if can else looks.DASH, remark))
        counts = [link for link in found if link.value != looks.DASH]
        counts[-1].wins = True
        if counts[-1].value == counts[0].value:  # nothing was set anywhere
            counts[-1].wins, counts[0].wins = False, True
        return found

    @property
    def changes(self) -> list[Row]:
        """The latest of this setting, out of the events."""
        if not self.visit.may(EVENT.listing):
            return []
        given = {"type": "CONFIGURATION.VALUE.EDIT", "keyword": self.opened["name"], "state": "Completed"}
        try:
            return list(EVENT.rows(self.visit, page=1, pagesize=3, **given).rows)
        except CloudError:
            return []

    @property
    def can_edit(self) -> bool:
        return self.visit.may("updateConfiguration")

    @property
    def is_bool(self) -> bool:
        return str(self.opened.get("type", "")).lower() == "boolean"

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    @property
    def here(self) -> str:
        return self.query.but()

    def get(self) -> HttpResponse:
        if not self.visit.may("listConfigurations"):
            raise NotFound
        if self.scope:
            self.place  # noqa: B018 - what is unknown is not found
        return super().get()

    def post(self) -> HttpResponse:
        given = self.visit.request.POST
        name, back = given.get("name", ""), self._back()
        try:
            sending = services.claim(self.visit.user, given.get("_token", ""))
        except services.SentBefore:
            self.visit.say("warn", _("This was sent before"), _("It was carried out once."))
            return self.go(back)
        try:
            if given.get("act") == "reset":
                self.visit.call("resetConfiguration", name=name, **self.scope)
            else:
                self.visit.call("updateConfiguration", name=name, value=given.get("value", ""), **self.scope)
        except CloudError as error:
            services.take_back(sending)
            self.visit.say("bad", _("Nothing was changed"), text_for(error, self.visit.who.is_root))
        else:
            self.visit.say("ok", _("%(name)s is set") % {"name": name})
        return self.go(back)

    def _back(self) -> str:
        from apps.portal import gate

        return gate.inside(self.visit.request, self.visit.request.POST.get("next", "") or "/settings")
