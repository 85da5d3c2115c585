"""The command registry: every command of the API is declared here once, by decorator, or does not import."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from rest_framework import serializers
from rest_framework.fields import empty

import apps
from apps.core.callers import Caller, Kind
from apps.core.errors import InvalidParameter, NoSuchRow, ParserRefused
from apps.core.mapping import grouped
from apps.core.refs import ByLabel
from apps.core.responses import Response
from apps.core.wire import EMPTY, MISSING, NOBODY, REMOVED, Bad, Field, Uuid

REGISTRY: dict[str, "Spec"] = {}
UNSET: Any = object()
NO_EVENT = ""  # of a change for which CloudStack has no event
SECRET_WORDS = ("password", "secretkey", "privatekey", "accesskey")
C = TypeVar("C", bound="type[Command]")


class Command:
    """A synchronous command: fields are the parameters, ``run`` does the work inside one transaction."""

    is_async: ClassVar[bool] = False
    changes: ClassVar[bool] = True  # something; lists and queries do not, and need no event
    in_batches: ClassVar[bool] = False  # changes in transactions of its own; such a one can tell no event
    spec: ClassVar["Spec"]

    def __init__(self, caller: Caller):
        self.caller = caller

    def run(self, *args: Any, **values: Any) -> Any:
        raise NotImplementedError

    def prepare(self, **values: Any) -> dict[str, Any]:
        """What a synchronous command must ask the outside, before its transaction begins: more values for ``run``."""
        return {}

    @classmethod
    def event_text(cls, values: Mapping[str, Any]) -> str:
        """What its event says beside the name of the command and the row: of a setting, from what to what."""
        return ""

    def secrets(self, row: Any) -> dict[str, str]:
        """What only this answer tells about its row, and no list: a generated password. A job keeps it sealed."""
        return {}


class AsyncCommand(Command):
    """Runs as a job, outside any transaction. ``run`` returns the row to answer with, or ``begin(FLOW, context)``."""

    is_async = True
    queue: ClassVar[str] = "jobs"

    customjobid = Uuid(help_text="the id that the job shall have")

    @classmethod
    def is_at_once(cls, values: Mapping[str, Any]) -> bool:
        """Does ``run``, with these values, only write to the database, to rows that the command makes itself? Then the
        job ends in the transaction that makes it, and no worker is asked.
        """
        return False

    @classmethod
    def lock_keys(cls, values: Mapping[str, Any]) -> Iterable[str]:
        """Rows that one job at a time may change: the dotted paths of ``locks=``; override for what they cannot say."""
        for path in cls.spec.locks:
            name, *steps = path.split(".")
            row = values.get(name)
            for step in steps:
                row = getattr(row, step, None)
            if row is not None:
                yield row.lock_key


class CreateCommand(AsyncCommand):
    """Answers ``{id, jobid}``: ``create`` makes the row with the job, in one transaction; its errors come at once."""

    def create(self, *args: Any, **values: Any) -> Any:
        raise NotImplementedError

    def failed(self, row: Any) -> None:
        """The job ended without success: give the row its failure state. In the transaction that ends the job."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Spec:
    name: str
    cls: type[Command]
    roles: Kind
    response: type[Response] | None
    event: str | None
    locks: tuple[str, ...]
    response_name: str
    fields: dict[str, Field]

    @property
    def is_async(self) -> bool:
        return self.cls.is_async

    @property
    def answering(self) -> type[Response]:
        if self.response is None:
            raise TypeError(f"{self.name} answers with success, not with rows")
        return self.response

    @property
    def tells_secrets(self) -> bool:
        return self.cls.secrets is not Command.secrets

    @property
    def cmd_class(self) -> str:
        """What "cmd" of a job says; clients compare it with names they know."""
        return wire_facts().get(self.name, {}).get("cmd", self.name)

    @property
    def resource(self) -> str:
        """What "jobinstancetype" says."""
        return wire_facts().get(self.name, {}).get("resource", "None")

    @property
    def values(self) -> set[str]:
        created = {"row"} if issubclass(self.cls, CreateCommand) else set()
        return created | {field.source or name for name, field in self.fields.items()}

    def parse(self, caller: Caller, flat: Mapping[str, str]) -> dict[str, Any]:
        """The values for ``run``. Parameters the caller's role may not pass are dropped, as unknown ones are."""
        given, values = grouped(flat), {}
        for name, field in self.fields.items():
            value = self._read(name, field, given, caller) if caller.kind & field.allowed else field.default
            if value is not empty:
                values[field.source or name] = value
            elif field.required:
                raise ParserRefused(MISSING.format(command=self.short_name, name=name))
        return values

    def _read(self, name: str, field: Field, given: Mapping[str, Any], caller: Caller) -> Any:
        try:
            return field.read(name, given, caller)
        except Bad as bad:
            kind = (
                InvalidParameter if bad.why in (EMPTY, REMOVED) else NoSuchRow if NOBODY in bad.why else ParserRefused
            )
            text = bad.why.format(command=self.short_name, name=name, value=given.get(name))
            raise kind(text) from None

    @property
    def short_name(self) -> str:
        return self.response_name.removesuffix("response")


@cache
def wire_facts() -> dict[str, dict[str, str]]:
    """Names of CloudStack's that no rule gives: odd response names, command classes, resource types."""
    return json.loads((Path(__file__).parent / "data" / "commands.json").read_text())


def command(
    name: str,
    *,
    roles: Kind,
    response: type[Response] | None = UNSET,
    event: str | None = None,
    locks: tuple[str, ...] = UNSET,
) -> Callable[[C], C]:
    """Declare a command. ``response=None`` answers ``{"success": true}``."""

    def register(cls: C) -> C:
        cls.spec = spec = Spec(
            name=name,
            cls=cls,
            roles=roles,
            response=None if response is UNSET else response,
            event=event,
            locks=() if locks is UNSET else locks,
            response_name=wire_facts().get(name, {}).get("response", f"{name.lower()}response"),
            fields=_declared(cls),
        )
        for problem in _problems(spec, response is UNSET, locks is UNSET):
            raise TypeError(f"{name}: {problem}")
        REGISTRY[name] = spec
        return cls

    return register


def _declared(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, serializers.Field):
                found[name] = value
            elif value is None:
                found.pop(name, None)  # a base has it, this command does not
    return found


def _problems(spec: Spec, no_response: bool, no_locks: bool) -> Iterable[str]:
    cls = spec.cls
    if spec.name in REGISTRY:
        yield "declared twice"
    if not cls.__doc__:
        yield "needs a docstring: it is the API text"
    if not spec.roles:
        yield "needs roles"
    if no_response:
        yield "needs a response, or None for success"
    if cls.changes and spec.event is None:
        yield "changes something and needs an event"
    if cls.in_batches and spec.event != NO_EVENT:
        yield "changes in batches and can tell no event"
    if cls.run is Command.run:
        yield "has no run()"
    if spec.is_async and no_locks:
        yield "needs locks=, or an explicit ()"
    if issubclass(cls, CreateCommand) and (cls.create is CreateCommand.create or cls.failed is CreateCommand.failed):
        yield "needs create() and failed()"
    for path in spec.locks:
        if path.split(".")[0] not in spec.values:
            yield f"locks {path}, which is no parameter"
    yield from _field_problems(spec)


def _field_problems(spec: Spec) -> Iterable[str]:
    for name, field in spec.fields.items():
        if not isinstance(field, Field):
            yield f"{name} is {type(field).__name__}: only the kernel's wire types parse as the protocol says"
        elif name != name.lower():
            yield f"{name} must be lower case"
        elif any(word in name for word in SECRET_WORDS) and not field.secret:
            yield f"{name} looks secret: say secret=True"


def autodiscover() -> None:
    """Import ``apps.*.commands`` and check every label, when all apps are loaded."""
    for module in pkgutil.walk_packages(apps.__path__, "apps."):
        if ".commands" in module.name:
            importlib.import_module(module.name)
    for spec in REGISTRY.values():
        for field in spec.fields.values():
            if isinstance(field, ByLabel):
                field.model  # noqa: B018 - LookupError stops the start
        if spec.response:
            spec.response.check()
