"""Accounts and users: lists, pages and forms."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal.components import Link
from apps.portal.compute.kinds import MACHINE
from apps.portal.events.tabs import events_of
from apps.portal.frame.detail import Card, DetailPage, FactsCard, RowsCard, Tab
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.infrastructure.zones import ID, Changes
from apps.portal.limits.limits import uses
from apps.portal.tenants.kinds import ACCOUNT, DOMAIN, USER
from apps.portal.tenants.looks import ACCOUNT_OWN
from apps.portal.visits import Row

Text = str | Promise


class AccountList(ListPage):
    at = "accounts"
    nav = "/accounts"
    kind = ACCOUNT
    columns = ("name", "state", "rolename", "domainpath", "machineuse", "memoryuse", "storageuse")
    filters = ("state", "domainid", "accounttype")
    own = ACCOUNT_OWN
    searching = gettext_lazy("Name")
    hint = gettext_lazy("An account owns machines, disks and networks; its users act for it.")

    def _first_columns(self) -> list[str]:
        return list(self.columns)


class AccountLimits(Card):
    template = "portal/tenants/limits_card.html"
    title = gettext_lazy("Limits")

    @property
    def uses(self) -> list[dict[str, Any]]:
        return uses(self.row)

    @property
    def edit_url(self) -> str:
        if not self.visit.may("updateResourceLimit"):
            return ""
        return f"/limits/edit?account={self.row['name']}&domainid={self.row['domainid']}"


class UsersCard(RowsCard):
    tab = "users"


def domain_of(row: Row) -> Any:
    return Link(text=row.get("domainpath") or row.get("domain", ""), url=DOMAIN.url(row["domainid"])).html()


class AccountFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "rolename",
        (gettext_lazy("Domain"), domain_of),
        "networkdomain",
        "created",
        ID,
    )


class AccountPage(DetailPage):
    at = "accounts/<uuid:key>"
    also_at = ("accounts/<uuid:key>/<slug:tab>",)
    nav = "/accounts"
    kind = ACCOUNT
    buttons = ("updateAccount",)
    main = (AccountLimits, UsersCard)
    side = (AccountFacts,)
    tabs = (
        Tab(USER, "accountid", ("username", "state", "firstname", "lastname", "email", "created")),
        Tab(MACHINE, "accountid", ("name", "state", "ipaddress", "cpunumber", "memory", "zonename")),
        events_of("Account"),
    )

    @cached_property
    def open_tabs(self) -> list[Tab]:
        """Lists name an account by its name and its domain."""
        return [_OfAccount(**vars(tab)) if tab.by == "accountid" else tab for tab in super().open_tabs]

    @property
    def sub(self) -> Text:
        parts = (self.row.get("domainpath"), self.row.get("rolename"))
        return format_html_join(" · ", "{}", [(part,) for part in parts if part])

    @property
    def lead(self) -> tuple[Text, str, str] | None:
        if not self.visit.may("createUser"):
            return None
        address = f"/do/createUser?account={self.row['name']}&domainid={self.row['domainid']}&next={self.address}"
        return _("New user"), "plus", address


class _OfAccount(Tab):
    def given(self, page: DetailPage) -> dict[str, str]:
        return {"account": page.row["name"], "domainid": page.row["domainid"]}


class NewAccount(Form):
    command = "createAccount"
    first = ("account", "domainid", "roleid", "username", "password", "firstname", "lastname", "email")
    folded = ("timezone", "networkdomain")
    labels = {"account": gettext_lazy("Name of the account"), "username": gettext_lazy("Name of its first user")}
    hints = {
        "account": gettext_lazy("That of the user if you leave this empty"),
        "domainid": gettext_lazy("Your own if you leave this empty"),
        "roleid": gettext_lazy("What its users may do"),
        "password": "",
        "timezone": gettext_lazy("Like Europe/Berlin; UTC if you leave this empty"),
    }

    @cached_property
    def declared(self) -> dict[str, Any]:
        """Every form leaves out whose row it shall be; here that is what is asked."""
        every = super().declared
        fields = self.spec.fields
        asked = {name: fields[name] for name in ("account", "domainid") if name not in self.hidden}
        return every | asked


class ChangeAccount(Changes):
    command = "updateAccount"
    about = (ACCOUNT.label, "id")
    first = ("newname", "roleid")
    folded = ("networkdomain",)
    names = {"newname": "name"}
    labels = {"newname": gettext_lazy("Name")}


class LockAccount(Form):
    command = "lockAccount"
    note = gettext_lazy("Its users are kept out. What runs goes on running.")

    @cached_property
    def subject(self) -> Any:
        return None

    @cached_property
    def declared(self) -> dict[str, Any]:
        return {}

    @property
    def hidden(self) -> dict[str, str]:
        return {name: str(self.given[name]) for name in ("account", "domainid") if self.given.get(name)}

    @property
    def title(self) -> str:
        return _("Lock the account %(name)s?") % {"name": self.given.get("account", "")}

    @property
    def home(self) -> str:
        return ACCOUNT.url()


class DisableAccount(Form):
    command = "disableAccount"
    about = (ACCOUNT.label, "id")
    danger = True
    folded = ()
    lost = (gettext_lazy("What runs: its machines are stopped"), gettext_lazy("Its users are kept out"))
    kept = (gettext_lazy("All its data"),)


class RemoveAccount(Form):
    command = "deleteAccount"
    danger = True
    types_name = True
    folded = ()
    lost = (gettext_lazy("All its machines, disks, networks and addresses"), gettext_lazy("Its users and their keys"))

    def went_to(self, begun: Any, answer: Mapping[str, Any], back: str) -> str:
        return super().went_to(begun, answer, ACCOUNT.url())


# users


class UserList(ListPage):
    at = "users"
    nav = "/users"
    kind = USER
    columns = ("username", "state", "firstname", "lastname", "email", "account", "domain", "rolename")
    filters = ("state", "domainid", "accounttype")
    searching = gettext_lazy("Name")
    hint = gettext_lazy("A user logs in and acts for its account.")


class UserFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "firstname",
        "lastname",
        "email",
        (gettext_lazy("Account"), lambda row: Link(text=row["account"], url=ACCOUNT.url(row["accountid"])).html()),
        (gettext_lazy("Domain"), domain_of),
        "rolename",
        "timezone",
        (gettext_lazy("API key"), lambda row: row.get("apikey") or _("none")),
        "created",
        ID,
    )


class UserPage(DetailPage):
    at = "users/<uuid:key>"
    also_at = ("users/<uuid:key>/<slug:tab>",)
    nav = "/users"
    kind = USER
    buttons = ("updateUser", "registerUserKeys")
    main = (UserFacts,)
    tabs = (events_of("User"),)

    @property
    def sub(self) -> Text:
        parts = (self.row.get("account"), self.row.get("domain"), self.row.get("rolename"))
        return format_html_join(" · ", "{}", [(part,) for part in parts if part])


class NewUser(Form):
    command = "createUser"
    first = ("account", "domainid", "username", "password", "firstname", "lastname", "email")
    folded = ("timezone",)
    hints = {"password": "", "timezone": gettext_lazy("Like Europe/Berlin; UTC if you leave this empty")}

    @cached_property
    def declared(self) -> dict[str, Any]:
        every, fields = super().declared, self.spec.fields
        return {n: fields[n] for n in ("account",) if n not in self.hidden} | every

    def more_hidden(self) -> dict[str, str]:
        """The address names the account that it is for."""
        return {name: str(self.given[name]) for name in ("account", "domainid") if self.given.get(name)}

    @property
    def home(self) -> str:
        return USER.url()


class ChangeUser(Changes):
    command = "updateUser"
    first = ("username", "firstname", "lastname", "email")
    folded = ("password", "timezone")
    labels = {"password": gettext_lazy("New password")}
    hints = {"password": gettext_lazy("As before if you leave this empty")}


class RenewKeys(Form):
    command = "registerUserKeys"
    about = (USER.label, "id")
    folded = ()
    lost = (gettext_lazy("The keys so far: what uses them is refused from now on"),)
    note = gettext_lazy("The secret key is shown once, on the next page.")

    def shown_once(self, answer: Mapping[str, Any]) -> list[tuple[Text, str]]:
        keys = answer.get("userkeys", {})
        return [(_("API key"), keys.get("apikey", "")), (_("Secret key"), keys.get("secretkey", ""))]


class LockUser(Form):
    command = "lockUser"
    folded = ()
    note = gettext_lazy("The user is kept out until it is enabled again.")


class DisableUser(Form):
    command = "disableUser"
    danger = True
    folded = ()
    lost = (gettext_lazy("Its log-in and its keys, until it is enabled again"),)


class RemoveUser(Form):
    command = "deleteUser"
    danger = True
    types_name = True
    lost = (gettext_lazy("The user with its keys"),)
    kept = (gettext_lazy("All that its account owns"),)

    def went_to(self, begun: Any, answer: Mapping[str, Any], back: str) -> str:
        return super().went_to(begun, answer, USER.url())
