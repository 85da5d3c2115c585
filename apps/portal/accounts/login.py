"""Login, logout, language and theme: all that works before anybody is known."""

from typing import Any

from django.http import HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _

from apps.accounts.services import sign_on
from apps.core import ports
from apps.core.errors import CloudError
from apps.portal import gate, shell
from apps.portal.frame.pages import Page
from apps.portal.visits import Visit


class Login(Page):
    at = "login"
    for_everybody = True
    template = "portal/accounts/login.html"

    @property
    def title(self) -> str:
        return _("Log in")

    @property
    def next(self) -> str:
        given = self.visit.request.POST.get("next") or self.given("next")
        return gate.inside(self.visit.request, given or "/")

    def get(self) -> HttpResponse:
        return self.go(self.next) if self.visit.caller else super().get()

    def context(self) -> dict[str, Any]:
        return {"error": "", "username": "", "domain": self.given("domain")}

    def post(self) -> HttpResponse:
        given = self.visit.request.POST
        domain = given.get("domain", "").strip().strip("/")
        domain = "" if domain.upper() == "ROOT" else domain.removeprefix("ROOT/")
        try:
            user = sign_on.authenticate(given.get("username", ""), given.get("password", ""), domain)
            response = self.go(self.next)
            gate.open_door(self.visit, response, user)
        except CloudError:
            return self._refused(given.get("username", ""), given.get("domain", ""))
        if self.visit.session:
            sign_on.close_session(self.visit.session)
        tell(self.visit, user, "USER.LOGIN", "in")
        return response

    def _refused(self, username: str, domain: str) -> HttpResponse:
        """Which of the three was wrong is not said, nor whether there is such a user."""
        error = _("User name, password and domain do not fit together, or this user may not log in now.")
        return self.render(status=403, error=error, username=username, domain=domain)


def tell(visit: Visit, user: Any, kind: str, way: str) -> None:
    """The event that the API's login tells, in its words."""
    where = visit.request.META.get("REMOTE_ADDR", "an unknown address")
    text = f"user has logged {way} from IP Address {where}"
    ports.events.one().done(kind, sign_on.caller_of(user, "session"), None, text)


class Logout(Page):
    at = "logout"
    for_everybody = True

    def get(self) -> HttpResponse:
        return self.go("/")

    def post(self) -> HttpResponse:
        if self.visit.session:
            sign_on.close_session(self.visit.session)
            tell(self.visit, self.visit.user, "USER.LOGOUT", "out")
        response = self.go("/login")
        response.delete_cookie(gate.COOKIE)
        return response


class Language(Page):
    at = "language"
    for_everybody = True

    def get(self) -> HttpResponse:
        """A link, before there is a session to forge anything with: the language alone is not worth a form."""
        return self._chosen(self.given("language"), self.given("next"))

    def post(self) -> HttpResponse:
        given = self.visit.request.POST
        return self._chosen(given.get("language", ""), given.get("next", ""))

    def _chosen(self, language: str, back: str) -> HttpResponse:
        response = self.go(gate.inside(self.visit.request, back or "/"))
        if language and translation.check_for_language(language):
            gate.remember(self.visit.request, response, gate.LANGUAGE, language)
        return response


class Theme(Page):
    at = "theme"
    for_everybody = True

    def get(self) -> HttpResponse:
        return self.go("/")

    def post(self) -> HttpResponse:
        given = self.visit.request.POST
        response = self.go(gate.inside(self.visit.request, given.get("next", "") or "/"))
        if given.get("theme") in shell.THEMES:
            gate.remember(self.visit.request, response, gate.THEME, given["theme"])
        return response
