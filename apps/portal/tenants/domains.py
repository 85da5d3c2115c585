"""Domains as a tree, with the limits and the accounts of the one that is looked at.

Written by hand: a table does not show what lies below what. One level is read at a time, so that it holds with
thousands of domains.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import services
from apps.portal.components import Item
from apps.portal.frame.detail import Tab
from apps.portal.frame.forms import Form
from apps.portal.frame.pages import Page
from apps.portal.frame.tables import items_of
from apps.portal.infrastructure.zones import Changes
from apps.portal.limits.limits import uses
from apps.portal.tenants.kinds import ACCOUNT, DOMAIN
from apps.portal.tenants.looks import ACCOUNT_OWN
from apps.portal.visits import Row

Text = str | Promise
CHILDREN, ACCOUNTS = 40, 50


@dataclass
class Branch:
    row: Row
    on: bool = False
    children: list["Branch"] = field(default_factory=list)
    more: int = 0  # children that are not shown: there are too many to look through

    @property
    def url(self) -> str:
        return DOMAIN.url(self.row["id"])

    @property
    def is_limited(self) -> bool:
        """Only then is it kept how many there are, of all that is below."""
        return str(self.row.get("vmlimit", "Unlimited")) not in ("Unlimited", "-1")

    @property
    def icon(self) -> str:
        if not self.row.get("level"):
            return "building"
        if self.row.get("haschild"):
            return "chevron-down" if self.children else "chevron-right"
        return "sitemap"


class Domains(Page):
    at = "domains"
    also_at = ("domains/<uuid:key>", "domains/<uuid:key>/<slug:tab>")
    nav = "/domains"
    kind = DOMAIN
    template = "portal/tenants/domains.html"

    @property
    def title(self) -> Text:
        return _("Domains and accounts")

    @cached_property
    def key(self) -> str:
        return str(self.where.get("key") or self.visit.who.account.domain.uuid)

    @cached_property
    def row(self) -> Row:
        return DOMAIN.one_of(self.visit, self.key)

    @property
    def address(self) -> str:
        return DOMAIN.url(self.key)

    # the tree: the way down to the open one, with its neighbours, and what is below it

    @cached_property
    def path(self) -> list[Row]:
        """From the caller's own domain down to this one."""
        found, row = [self.row], self.row
        own = str(self.visit.who.account.domain.uuid)
        while row["id"] != own and row.get("parentdomainid"):
            row = DOMAIN.one_of(self.visit, row["parentdomainid"])
            found.insert(0, row)
        return found

    @cached_property
    def tree(self) -> Branch:
        root = Branch(self.path[0], on=self.path[0]["id"] == self.row["id"])
        branch = root
        for place, row in enumerate(self.path):
            found, count = self.children_of(row)
            below = self.path[place + 1] if place + 1 < len(self.path) else None
            if below and all(each["id"] != below["id"] for each in found):
                found = [*found, below]
            branch.children = [Branch(each, on=each["id"] == self.row["id"]) for each in found]
            branch.more = count - len(found)
            if below:
                branch = next(b for b in branch.children if b.row["id"] == below["id"])
        return root

    def children_of(self, row: Row) -> tuple[list[Row], int]:
        """The first of them, and how many there are."""
        if not row.get("haschild"):
            return [], 0
        found = self.visit.list("listDomainChildren", id=row["id"], page=1, pagesize=CHILDREN)
        return sorted(found.rows, key=lambda each: str(each["name"])), found.count

    @property
    def found(self) -> list[Row]:
        """Of a search: whole paths."""
        keyword = self.given("keyword")
        if not keyword:
            return []
        given = {"keyword": keyword, "listall": "true", "page": 1, "pagesize": 50}
        return list(self.visit.list("listDomains", **given).rows)

    @property
    def keyword(self) -> str:
        return self.given("keyword")

    # what is open

    @property
    def uses(self) -> list[dict[str, Any]]:
        return uses(self.row)

    @property
    def limited(self) -> list[dict[str, Any]]:
        return [use for use in self.uses if use["total"] is not None]

    @property
    def counted(self) -> list[tuple[Text, Any]]:
        return [(use["label"], use["used"]) for use in self.uses if use["total"] is None and use["used"]]

    @cached_property
    def accounts(self) -> Any:
        return ACCOUNT.rows(self.visit, domainid=self.key, isrecursive="false", page=1, pagesize=ACCOUNTS)

    @property
    def table(self) -> Any:
        columns = ("name", "state", "rolename", "machineuse", "memoryuse", "storageuse")
        tab = Tab(ACCOUNT, "domainid", columns, own=ACCOUNT_OWN)
        from apps.portal.frame.tables import Maker

        maker = Maker(self.visit, ACCOUNT, tab.chosen(self), caption=ACCOUNT.many, here=self.address)  # type: ignore[arg-type]
        return maker.table(self.accounts.rows)

    @property
    def accounts_said(self) -> str:
        return ACCOUNT.counted(self.accounts.count)

    @property
    def more(self) -> list[Item | None]:
        return items_of(DOMAIN.offers(self.visit, self.row), self.address)

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    @property
    def new_domain(self) -> str:
        return f"/do/createDomain?parentdomainid={self.key}" if self.visit.may("createDomain") else ""

    @property
    def new_account(self) -> str:
        return f"/do/createAccount?domainid={self.key}" if self.visit.may("createAccount") else ""

    @property
    def limits_url(self) -> str:
        return f"/limits/edit?domainid={self.key}" if self.visit.may("updateResourceLimit") else ""

    def get(self) -> HttpResponse:
        self.row  # noqa: B018 - what is not this caller's is not found
        return super().get()


class NewDomain(Form):
    command = "createDomain"
    first = ("name", "parentdomainid")
    folded = ("networkdomain",)
    labels = {"parentdomainid": gettext_lazy("Below")}
    hints = {"parentdomainid": gettext_lazy("Your own if you leave this empty")}


class ChangeDomain(Changes):
    command = "updateDomain"
    first = ("name", "networkdomain")
    folded = ()


class MoveDomain(Form):
    command = "moveDomain"
    about = (DOMAIN.label, "domainid")
    first = ("parentdomainid",)
    folded = ()
    labels = {"parentdomainid": gettext_lazy("Below")}
    note = gettext_lazy("Its limits have to fit into those of the domain it comes below.")


class RemoveDomain(Form):
    command = "deleteDomain"
    danger = True
    types_name = True
    first = ("cleanup",)
    folded = ()
    labels = {"cleanup": gettext_lazy("With all accounts, machines and domains in it")}
    hints = {"cleanup": gettext_lazy("Else it has to be empty")}
    lost = (gettext_lazy("The domain, and what is in it if you say so"),)

    def went_to(self, begun: Any, answer: Mapping[str, Any], back: str) -> str:
        return super().went_to(begun, answer, DOMAIN.url())
