"""One form for the limits of an account or a domain."""

from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.core.errors import CloudError, text_for
from apps.portal import looks, services
from apps.portal.frame.pages import Page
from apps.portal.limits.limits import KINDS
from apps.portal.tenants.kinds import ACCOUNT, DOMAIN
from apps.portal.visits import NotFound, Row

Text = str | Promise
# The wire numbers the kinds of resources, and says limits of memory in MiB, of storage in GiB.
NUMBERS = {
    "vm": 0,
    "ip": 1,
    "volume": 2,
    "snapshot": 3,
    "template": 4,
    "project": 5,
    "network": 6,
    "vpc": 7,
    "cpu": 8,
    "memory": 9,
    "primarystorage": 10,
    "secondarystorage": 11,
}


class EditLimits(Page):
    """Written by hand: one form for what is a command for each kind of resource. Only what was changed is sent."""

    at = "limits/edit"
    nav = "/accounts"
    template = "portal/tenants/edit_limits.html"

    @cached_property
    def whose(self) -> dict[str, str]:
        given = self.visit.request.POST if self.visit.request.method == "POST" else self.visit.request.GET
        return {name: given[name] for name in ("account", "domainid") if given.get(name)}

    @cached_property
    def row(self) -> Row:
        if "domainid" not in self.whose or not self.visit.may("updateResourceLimit"):
            raise NotFound
        if "account" not in self.whose:
            return DOMAIN.one_of(self.visit, self.whose["domainid"])
        given = {"name": self.whose["account"], "domainid": self.whose["domainid"], "isrecursive": "false"}
        rows = [row for row in ACCOUNT.rows(self.visit, **given).rows if row["name"] == self.whose["account"]]
        if len(rows) != 1:
            raise NotFound
        return rows[0]

    @property
    def title(self) -> str:
        name = self.row["name"] if "account" in self.whose else self.row["path"]
        return _("Limits of %(name)s") % {"name": name}

    @property
    def back(self) -> str:
        kind = ACCOUNT if "account" in self.whose else DOMAIN
        return kind.url(self.row["id"])

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        kind = ACCOUNT if "account" in self.whose else DOMAIN
        return [(kind.many, kind.url()), (kind.title(self.row), self.back)]

    @property
    def kinds(self) -> list[dict[str, Any]]:
        typed = self.visit.request.POST
        return [
            {
                "word": word,
                "label": label,
                "unit": unit,
                "value": typed.get(word, self.limit_of(word, per)),
                "used": looks.number(float(self.row[f"{word}total"]) / per),
            }
            for word, label, unit, per in KINDS
            if f"{word}total" in self.row
        ]

    def limit_of(self, word: str, per: float) -> str:
        text = str(self.row.get(f"{word}limit", "Unlimited"))
        return f"{float(text) / per:g}" if text.isdecimal() else ""

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    def get(self) -> HttpResponse:
        self.row  # noqa: B018 - what is not this caller's is not found
        return super().get()

    def post(self) -> HttpResponse:
        typed = self.visit.request.POST
        errors, wanted = {}, {}
        for word, label, _unit, per in KINDS:
            text = typed.get(word, "").strip()
            if f"{word}total" not in self.row or text == self.limit_of(word, per):
                continue
            if text and not text.isdecimal():
                errors[word] = _("%(label)s: a whole number, or nothing for no limit") % {"label": label}
            wanted[word] = round(float(text) * per) if text.isdecimal() else -1
        if errors:
            return self.render(status=422, errors=errors)
        try:
            services.claim(self.visit.user, typed.get("_token", ""))
            for word, most in wanted.items():
                self.visit.call("updateResourceLimit", resourcetype=NUMBERS[word], max=most, **self.whose)
        except services.SentBefore:
            self.visit.say("warn", _("This was sent before"), _("It was carried out once."))
        except CloudError as error:
            return self.render(status=422, errors={"": text_for(error, self.visit.who.is_root)})
        else:
            self.visit.say("ok", _("The limits are set"))
        return self.go(self.back)
