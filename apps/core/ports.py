"""A question asked low and answered high, so that imports keep pointing one way.

The lower app declares ``teardown = Port[Teardown]("accounts.teardown", many=True)`` and asks it; upper apps answer in
``AppConfig.ready()``. A second answer to a port of one, and a port nobody answered, stop the start.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

P = TypeVar("P")
_PORTS: list["Port[Any]"] = []


class Port(Generic[P]):
    def __init__(self, name: str, *, many: bool = False, optional: bool = False):
        self.name, self.many, self.optional = name, many, optional
        self._answers: list[tuple[int, P]] = []
        _PORTS.append(self)

    def answer(self, answer: P, order: int = 0) -> None:
        """``order`` ranks the answers of an ordered port; equal ranks keep the order of the layers."""
        if self._answers and not self.many:
            raise RuntimeError(f"port {self.name} is answered twice: {self._answers[0][1]!r} and {answer!r}")
        self._answers.append((order, answer))
        self._answers.sort(key=lambda pair: pair[0])

    def one(self) -> P:
        if self.many or not self._answers:
            raise RuntimeError(f"port {self.name} has no single answer")
        return self._answers[0][1]

    def all(self) -> tuple[P, ...]:
        return tuple(answer for _, answer in self._answers)


def check() -> None:
    missing = [p.name for p in _PORTS if not p._answers and not p.optional]
    if missing:
        raise RuntimeError(f"nobody answers the ports {', '.join(missing)}")


class Jobs(Protocol):
    def submit(self, caller: Any, spec: Any, given: dict[str, str]) -> dict[str, Any]: ...

    def renew(self) -> None: ...

    def finished(self, caller: Any, spec: Any, row: Any, answer: dict[str, Any]) -> str:
        """The id of a job that is done with this answer: for commands that are synchronous here only."""
        ...

    def pending(self, kind: str, keys: Sequence[int]) -> Mapping[int, str]:
        """Uuid of the job under way, by key of the row that it is about."""
        ...


class Watch(Protocol):
    """What a person who watches is shown of jobs beyond what the wire says. Callers' own, or nothing."""

    def steps(self, caller: Any, job: str) -> Sequence[Mapping[str, Any]]:
        """``name``, ``status`` (done, now, failed, undone, todo), ``seconds`` and ``text`` of each step of its flow."""
        ...

    def explanation(self, caller: Any, job: str) -> Mapping[str, Any] | None:
        """Why a job put something where it is, or nowhere. For root administrators only: it names hosts."""
        ...

    def placement(self, caller: Any, model: str, key: str) -> Mapping[str, Any] | None:
        """The latest of these about one row, by its uuid."""
        ...

    def placements(self, caller: Any, model: str, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """The same of several rows at once, by uuid; those without one are left out."""
        ...

    def ended(self, caller: Any, since: datetime, *, only_failed: bool = False) -> Sequence[Mapping[str, Any]]:
        """Jobs of all whom the caller reaches that ended since then, the newest first, not more than a page: ``job``,
        ``command``, ``status``, ``code`` and ``text`` of its error, ``account``, ``domain``, ``user``, ``created``,
        ``completed``; ``kind``, ``row`` and ``name`` of what it is about; ``again``: the parameters with which it may
        be sent once more, or None.
        """
        ...

    def one(self, caller: Any, job: str) -> Mapping[str, Any] | None:
        """The same of one job, whether it has ended or not; None for one that the caller may not act for."""
        ...

    def lately(self, accounts: Collection[int], since: datetime) -> Sequence[Mapping[str, Any]]:
        """``account``, ``job``, ``status`` and ``progress`` of their jobs that are under way or ended since then."""
        ...


class Settings(Protocol):
    def value(self, setting: Any, scope: Any | None) -> str | None:
        """The text an operator stored, for this row or globally; None where the default holds."""
        ...


class Events(Protocol):
    """Of the owner of ``subject`` where that is an owned row, else of the caller. Callers are in a transaction."""

    def done(self, kind: str, caller: Any, subject: Any, text: str, level: str = "INFO") -> None:
        """What is over when it is told: a synchronous command, a login, a repair. ``text`` is the whole description."""
        ...

    def begun(self, kind: str, caller: Any, subject: Any, what: str, *, created: bool, ended: bool = False) -> UUID:
        """A job waits from now on; ``created``: its row was made with it; ``ended``: it is done already. ``what`` goes
        on after "Starting job for".
        """
        ...

    def went_on(self, first: UUID, state: str, *, error: str = "") -> bool:
        """The next of the chain that ``begun`` named: Started or Completed. False if its first is no longer there."""
        ...

    def state(self, row: Any, event: str, source: str, target: str, usage: str | None) -> None: ...

    def alert(self, subject: str, text: str, kind: str = "ALERT.MANAGEMENT", place: Mapping[str, Any] = ...) -> None:
        """``kind`` is a name of listAlertTypes; ``place`` may hold the keys of ``zone``, ``pod`` and ``cluster``."""
        ...


class Limits(Protocol):
    def take(self, owner: Any, amounts: Mapping[str, int]) -> None: ...

    def give(self, owner: Any, amounts: Mapping[str, int]) -> None: ...


class Rules(Protocol):
    def __call__(self, role: Any, name: str, default: int) -> bool: ...


class Tenants(Protocol):
    """What the kernel must know about domains and accounts, which live above it."""

    def domain(self, uuid: str) -> Any | None: ...

    def account(self, name: str, domain: Any) -> Any | None: ...

    def project(self, uuid: str) -> Any | None: ...

    def caller(self, user_id: int | None, account_id: int) -> Any: ...


class Elsewhere(Protocol):
    def __call__(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any] | None]:
        """Where a few machines, by uuid, would start if their host went, as explanations tell a choice; None where one
        has no other place now. It names hosts: for root administrators only.
        """
        ...


jobs: Port[Jobs] = Port("core.jobs")
watch: Port[Watch] = Port("core.watch")
elsewhere: Port[Elsewhere] = Port("core.elsewhere")
events: Port[Events] = Port("core.events")
limits: Port[Limits] = Port("core.limits")
rules: Port[Rules] = Port("core.rules")
tenants: Port[Tenants] = Port("core.tenants")
settings: Port[Settings] = Port("core.settings")
throttles: Port[Callable[[Any], None]] = Port("core.throttles", many=True, optional=True)
# The stored value of the setting of this name has changed, globally or for a row; in the transaction that changes it.
setting_changed: Port[Callable[[str], None]] = Port("core.setting_changed", many=True, optional=True)
