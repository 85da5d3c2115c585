"""Roles: list, and a page that edits the rules of one.

The editor is written by hand: rules have an order, the first that fits decides, and one wants to see which that is.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.commands import REGISTRY
from apps.core.errors import CloudError, text_for
from apps.portal import looks, services
from apps.portal.components import Step
from apps.portal.events.tabs import events_of
from apps.portal.frame.detail import Card, DetailPage, FactsCard
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.infrastructure.zones import ID, Changes
from apps.portal.rbac.kinds import ROLE
from apps.portal.visits import Row

Text = str | Promise


class RoleList(ListPage):
    at = "roles"
    nav = "/roles"
    kind = ROLE
    columns = ("name", "state", "type", "description", "isdefault", "ispublic")
    filters = ("type", "state")
    searching = gettext_lazy("Name or description")
    hint = gettext_lazy("A role says which commands its accounts may call.")

    def _first_columns(self) -> list[str]:
        return list(self.columns)


@dataclass
class Rule:
    number: int
    id: str
    pattern: str
    permission: str
    note: str
    fits: list[str]
    decides: list[str]  # of those, what no rule before it has decided

    @property
    def is_idle(self) -> bool:
        """It says something else than rules before it, and they win."""
        return bool(self.fits) and not self.decides


def fitting(pattern: str) -> list[str]:
    wanted = re.compile(re.escape(pattern).replace(r"\*", ".*"))
    return [name for name in REGISTRY if wanted.fullmatch(name)]


class RulesCard(Card):
    template = "portal/rbac/rules.html"
    title = gettext_lazy("Rules")

    @property
    def is_shown(self) -> bool:
        return self.visit.may("listRolePermissions")

    @cached_property
    def rules(self) -> list[Rule]:
        found: list[Rule] = []
        decided: set[str] = set()
        for number, row in enumerate(self.rows, 1):
            fits = fitting(row["rule"])
            new = [name for name in fits if name not in decided]
            decided |= set(new)
            found.append(Rule(number, row["id"], row["rule"], row["permission"], row.get("description", ""), fits, new))
        return found

    @property
    def rows(self) -> list[Row]:
        answer = self.visit.call("listRolePermissions", roleid=self.row["id"])
        return list(answer.get("rolepermission", []))

    @property
    def can_edit(self) -> bool:
        return not self.row.get("isdefault") and self.visit.may("createRolePermission")

    @property
    def idle(self) -> list[Rule]:
        return [rule for rule in self.rules if rule.is_idle]

    @property
    def names(self) -> list[str]:
        return sorted(REGISTRY)

    @property
    def rest_said(self) -> str:
        return _("What no rule names is as for every %(type)s.") % {"type": self.row.get("type", "")}

    # the tester

    @property
    def tested(self) -> str:
        return self.page.given("test").strip()

    @property
    def verdict(self) -> tuple[str, Text, Text]:
        """State, title and why."""
        name = self.tested
        if name not in REGISTRY:
            return "warn", _("There is no such command"), ""
        rule = next((rule for rule in self.rules if name in rule.fits), None)
        if self.row.get("state") == "disabled":
            return "bad", _("Denied"), _("the role is disabled")
        if rule is not None:
            said = {"rule": rule.pattern, "number": rule.number}
            allowed = rule.permission == "allow"
            why = _("by rule %(number)s, %(rule)s") % said
            return ("ok", _("Allowed"), why) if allowed else ("bad", _("Denied"), why)
        allowed = name in self.allowed
        why = _("by no rule: as for every %(type)s") % {"type": self.row.get("type", "")}
        return ("ok", _("Allowed"), why) if allowed else ("bad", _("Denied"), why)

    @property
    def steps(self) -> list[Step]:
        found = []
        for rule in self.rules:
            fits = self.tested in rule.fits
            said = _("fits: %(permission)s") % {"permission": rule.permission} if fits else _("does not fit")
            text = f"{rule.number} {rule.pattern}"
            found.append(Step(status="done" if fits else "undone", text=text, detail=said))
            if fits:
                break
        return found[-8:]

    @cached_property
    def allowed(self) -> frozenset[str]:
        from apps.core.callers import Kind

        first = {name: rule.permission == "allow" for rule in reversed(self.rules) for name in rule.fits}
        kind = {
            "Admin": Kind.ROOT,
            "ResourceAdmin": Kind.RESOURCE_ADMIN,
            "DomainAdmin": Kind.DOMAIN_ADMIN,
            "User": Kind.TENANT,
        }
        own = kind.get(str(self.row.get("type")))
        if own is Kind.ROOT and self.row.get("isdefault"):
            return frozenset(REGISTRY)
        return frozenset(
            name for name, spec in REGISTRY.items() if first.get(name, bool(own and int(own) & int(spec.roles)))
        )

    @property
    def sum_said(self) -> str:
        return _("%(some)s of %(all)s commands") % {"some": len(self.allowed), "all": len(REGISTRY)}


class TestCard(RulesCard):
    template = "portal/rbac/test.html"
    title = gettext_lazy("What may it do?")


class RoleFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "type",
        "description",
        (gettext_lazy("Domain administrators may give it"), lambda row: looks.yes(row.get("ispublic"))),
        (gettext_lazy("Of the product"), lambda row: looks.yes(row.get("isdefault"))),
        ID,
    )


class RolePage(DetailPage):
    at = "roles/<uuid:key>"
    also_at = ("roles/<uuid:key>/<slug:tab>",)
    nav = "/roles"
    kind = ROLE
    buttons = ("updateRole",)
    main = (RulesCard,)
    side = (TestCard, RoleFacts)
    tabs = (events_of("Role"),)

    @property
    def sub(self) -> Text:
        return str(self.row.get("description", ""))

    @property
    def test_url(self) -> str:
        return ROLE.url(self.key)

    def post(self) -> HttpResponse:
        """One change of the rules: ``add``, or ``act`` with what and which."""
        given = self.visit.request.POST
        try:
            sending = services.claim(self.visit.user, given.get("_token", ""))
        except services.SentBefore:
            self.visit.say("warn", _("This was sent before"), _("It was carried out once."))
            return self.go(self.address)
        try:
            self._change(given.get("act", ""))
        except CloudError as error:
            services.take_back(sending)
            self.visit.say("bad", _("Nothing was changed"), text_for(error, self.visit.who.is_root))
        return self.go(self.address)

    def _change(self, act: str) -> None:
        what, _space, key = act.partition(" ")
        given, role = self.visit.request.POST, self.row["id"]
        if what == "add":
            note = given.get("description", "").strip()
            params = {"rule": given.get("rule", "").strip(), "permission": given.get("permission", "")}
            self.visit.call("createRolePermission", roleid=role, **params, **({"description": note} if note else {}))
        elif what == "delete":
            self.visit.call("deleteRolePermission", id=key)
        elif what in ("allow", "deny"):
            self.visit.call("updateRolePermission", roleid=role, ruleid=key, permission=what)
        elif what in ("up", "down"):
            self._move(key, -1 if what == "up" else 1)

    def _move(self, key: str, by: int) -> None:
        order = [row["id"] for row in RulesCard(self).rows]
        if key not in order:
            return
        at = order.index(key)
        to = min(max(at + by, 0), len(order) - 1)
        order.insert(to, order.pop(at))
        self.visit.call("updateRolePermission", roleid=self.row["id"], ruleorder=",".join(order))


class NewRole(Form):
    command = "createRole"
    first = ("name", "description", "roleid", "type", "ispublic")
    folded = ()
    labels = {"roleid": gettext_lazy("Like the role"), "ispublic": gettext_lazy("Domain administrators may give it")}
    hints = {
        "roleid": gettext_lazy("Takes its type and its rules"),
        "type": gettext_lazy("Where no role is taken as a pattern"),
        "ispublic": "",
        "description": gettext_lazy("What it is for"),
    }


class ChangeRole(Changes):
    command = "updateRole"
    first = ("name", "description", "ispublic")
    folded = ("type",)
    labels = {"ispublic": gettext_lazy("Domain administrators may give it")}
    hints = {"ispublic": "", "description": gettext_lazy("What it is for")}


class DisableRole(Form):
    command = "disableRole"
    danger = True
    folded = ()
    lost = (gettext_lazy("Whoever has the role may do nothing, until it is enabled again"),)


class RemoveRole(Form):
    command = "deleteRole"
    danger = True
    types_name = True
    lost = (gettext_lazy("The role with its rules; no account may have it"),)

    def went_to(self, begun: Any, answer: Any, back: str) -> str:
        return super().went_to(begun, answer, ROLE.url())
