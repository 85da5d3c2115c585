"""One request of a person: who it is, and the one way to ask for anything."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.core import dispatch, ports
from apps.core.callers import Caller
from apps.core.commands import REGISTRY
from apps.core.errors import CloudError
from apps.portal.models import Preference

Row = dict[str, Any]
ROLES_KEPT = 200


class NotFound(Exception):
    """No such page or row, or not this caller's: the two must look alike."""


@dataclass
class Rows:
    rows: list[Row]
    count: int


@dataclass
class Visit:
    request: HttpRequest
    caller: Caller | None = None
    session: Any = None
    toasts: list[dict[str, str]] = field(default_factory=list)  # to be shown on the next page

    @property
    def who(self) -> Caller:
        assert self.caller is not None, "only pages for everybody are made for nobody"  # noqa: S101
        return self.caller

    @property
    def user(self) -> Any:
        return self.who.user

    @property
    def is_fragment(self) -> bool:
        """A part of a page is asked for, by a script."""
        return self.request.headers.get("HX-Request") == "true"

    def call(self, name: str, /, **params: Any) -> dict[str, Any]:
        return dispatch.call(self.caller, name, **params)

    def list(self, name: str, /, **params: Any) -> Rows:
        answer = self.call(name, **params)
        rows = answer.get(REGISTRY[name].answering.wire_name, [])
        return Rows(rows, answer.get("count", len(rows)))

    def one(self, name: str, /, **params: Any) -> Row:
        """The row with this id; unknown, of somebody else or gone is NotFound, each in the same words."""
        try:
            found = self.list(name, **params).rows
        except CloudError as error:
            if error.code in (431, 531):
                raise NotFound from error
            raise
        if len(found) != 1:
            raise NotFound
        return found[0]

    def may(self, *names: str) -> bool:
        """Every one of these commands is there and the role has it."""
        return all(name in self._allowed for name in names)

    @cached_property
    def _allowed(self) -> frozenset[str]:
        return allowed(self.who.role)

    @cached_property
    def account(self) -> Row:
        """The caller's own account with its totals and limits; {} where the role may not ask."""
        if not self.may("listAccounts"):
            return {}
        found = self.list("listAccounts", id=str(self.who.account.uuid)).rows
        return found[0] if found else {}

    @cached_property
    def preferences(self) -> dict[str, Any]:
        found = Preference.objects.filter(user=self.user).values_list("values", flat=True).first()
        return found or {}

    def say(self, kind: str, title: str, text: str = "", **more: str) -> None:
        """On the next page."""
        self.toasts.append({"kind": kind, "title": str(title), "text": str(text), **more})

    def follow(self, what: str, job: str) -> None:
        """On the next page, which tells by itself how the job ends."""
        ended = {"done": _("%(what)s: done") % {"what": what}, "failed": _("%(what)s: failed") % {"what": what}}
        self.say("busy", _("%(what)s: begun") % {"what": what}, url=f"/jobs/{job}", job=job, **ended)


class Allowed:
    """Commands of a role, by its version: asked fifty times a page."""

    kept: ClassVar[dict[tuple[Any, ...], frozenset[str]]] = {}


def allowed(role: Any) -> frozenset[str]:
    key = (role.pk, role.version, role.enabled, role.is_unlimited, len(REGISTRY))
    if key not in Allowed.kept:
        rules = ports.rules.one()
        if len(Allowed.kept) >= ROLES_KEPT:
            Allowed.kept.clear()
        Allowed.kept[key] = frozenset(name for name, spec in REGISTRY.items() if rules(role, name, spec.roles))
    return Allowed.kept[key]
