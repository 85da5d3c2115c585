"""What a user has of its own: keys, password, sessions."""

from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.accounts.services import sign_on
from apps.core.errors import CloudError, text_for
from apps.portal import gate, looks, services
from apps.portal.frame.pages import Page


class Keys(Page):
    """The secret key is shown once, when it is made; afterwards only that there is one."""

    at = "account/keys"
    template = "portal/accounts/keys.html"

    @property
    def title(self) -> str:
        return _("API keys")

    @cached_property
    def api_key(self) -> str:
        if not self.visit.may("listUsers"):
            return ""
        found = self.visit.list("listUsers", id=str(self.visit.user.uuid)).rows
        return str(found[0].get("apikey", "")) if found else ""

    @property
    def may_renew(self) -> bool:
        return self.visit.may("registerUserKeys")

    @property
    def token(self) -> str:
        return services.new_token(self.visit.user)

    @property
    def endpoint(self) -> str:
        return self.visit.request.build_absolute_uri("/client/api")

    def post(self) -> HttpResponse:
        try:
            services.claim(self.visit.user, self.visit.request.POST.get("_token", ""))
        except services.SentBefore:
            self.visit.say("warn", _("The keys were renewed already"), _("They were shown once. Renew them again."))
            return self.go("/account/keys")
        answer = self.visit.call("registerUserKeys", id=str(self.visit.user.uuid))["userkeys"]
        return self.render("portal/accounts/new_keys.html", keys=answer)


class Password(Page):
    at = "account/password"
    template = "portal/accounts/password.html"

    @property
    def title(self) -> str:
        return _("Password")

    def context(self) -> dict[str, Any]:
        return {"errors": {}}

    def post(self) -> HttpResponse:
        given = self.visit.request.POST
        current, new, again = (given.get(name, "") for name in ("current", "new", "again"))
        errors: dict[str, str] = {}
        if not current:
            errors["current"] = _("This is needed")
        if len(new) < 8:
            errors["new"] = _("At least 8 characters")
        elif new != again:
            errors["again"] = _("This is not the same as above")
        if not errors:
            errors = self._change(current, new)
        if errors:
            return self.render(status=422, errors=errors)
        self.visit.say("ok", _("The password was changed"), _("All other sessions were closed."))
        response = self.go("/account/password")
        self.visit.user.refresh_from_db(fields=["password"])  # a session is for the password of now
        gate.open_door(self.visit, response, self.visit.user)
        return response

    def _change(self, current: str, new: str) -> dict[str, str]:
        user = self.visit.user
        try:
            self.visit.call("updateUser", id=str(user.uuid), password=new, currentpassword=current)
        except CloudError as error:
            text = text_for(error, self.visit.who.is_root)
            name, _colon, said = text.partition(": ")
            return {"current": said} if name == "currentpassword" else {"new": text}
        user.refresh_from_db()
        return {}


class Sessions(Page):
    at = "account/sessions"
    template = "portal/accounts/sessions.html"

    @property
    def title(self) -> str:
        return _("Sessions")

    @property
    def sessions(self) -> list[tuple[Any, str, bool]]:
        """Each with what it was opened with, and whether it is this one."""
        mine = self.visit.session.pk
        return [(each, browser(each.agent), each.pk == mine) for each in sign_on.sessions_of(self.visit.user)]

    def post(self) -> HttpResponse:
        given = self.visit.request.POST
        others = {each.pk for each in sign_on.sessions_of(self.visit.user)} - {self.visit.session.pk}
        one = given.get("one", "")
        chosen = others if "others" in given else others & {int(one)} if one.isdecimal() else set()
        closed = sign_on.close_sessions(self.visit.user, chosen)
        text = ngettext("%(n)s session was closed", "%(n)s sessions were closed", closed)
        self.visit.say("ok", text % {"n": looks.number(closed)})
        return self.go("/account/sessions")


API = gettext_lazy("API client")


def browser(agent: str) -> str:
    """As people call it: "Firefox on Linux"."""
    if not agent:
        return str(API)
    names = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl")
    said = {"Edg": "Edge", "OPR": "Opera"}
    name = next((each for each in names if each in agent), agent[:20])
    systems = {"Windows": "Windows", "Android": "Android", "iPhone": "iOS", "Mac OS": "macOS", "Linux": "Linux"}
    system = next((text for word, text in systems.items() if word in agent), "")
    name = said.get(name, name)
    return _("%(browser)s on %(system)s") % {"browser": name, "system": system} if system else name
