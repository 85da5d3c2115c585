"""The one road every command takes: from the wire, REST, the portal, EC2 and the worker."""

import logging
from typing import Any

from apps.core import ports
from apps.core.callers import Caller
from apps.core.commands import REGISTRY, Command, Spec
from apps.core.errors import NotAuthenticated, NotInProject, UnsupportedAction, text_for
from apps.core.mapping import check_text, flatten
from apps.core.retry import atomically, in_transaction

log = logging.getLogger(__name__)


def call(caller: Caller | None, name: str, /, **params: Any) -> dict[str, Any]:
    """The answer of a synchronous command, ``{jobid}`` or ``{id, jobid}`` of an asynchronous one."""
    if caller is None:
        raise NotAuthenticated("unable to verify user credentials and/or request signature")
    spec = authorised(caller, name)
    for throttle in ports.throttles.all():
        throttle(caller)
    given = flatten(params)
    check_text(given)
    try:
        return _carry_out(spec, caller, given)
    except NotInProject as refusal:
        raise UnsupportedAction(
            f"The API [{name}] does not exist or is not available for this account/user in project [{refusal.project}]."
        ) from None


def _carry_out(spec: Spec, caller: Caller, given: dict[str, str]) -> dict[str, Any]:
    if not spec.cls.changes or spec.cls.in_batches:
        return run(spec, caller, spec.parse(caller, given))
    if spec.is_async:
        return ports.jobs.one().submit(caller, spec, given)
    return changed(spec, caller, given)


def authorised(caller: Caller, name: str) -> Spec:
    """Asked at submission and again by the worker: a role may have changed while the job waited."""
    spec = REGISTRY.get(name)
    if spec is None or not ports.rules.one()(caller.role, name, spec.roles):
        raise UnsupportedAction(
            f"The API [{name}] does not exist or is not available for the account {caller.account.name}."
        )
    return spec


def changed(spec: Spec, caller: Caller, given: dict[str, str]) -> dict[str, Any]:
    """A synchronous change; what it asks the outside is asked before its transaction. One that was begun and failed is
    told too: its event cannot be in the transaction that was taken back.
    """
    tried: list[Any] = []
    try:
        more: dict[str, Any] = {}
        if spec.cls.prepare is not Command.prepare:
            values = spec.parse(caller, given)
            tried = [subject(values)]
            more = spec.cls(caller).prepare(**values)
        return _changed(spec, caller, given, more, tried)
    except Exception as error:
        if tried and not in_transaction():
            _tell_failure(spec, caller, tried[-1], error)
        raise


@atomically
def _changed(
    spec: Spec, caller: Caller, given: dict[str, str], more: dict[str, Any], tried: list[Any]
) -> dict[str, Any]:
    """Parse, run and event in one transaction, all of it again after a deadlock."""
    values = spec.parse(caller, given)
    about = subject(values)
    tried.append(about)
    text = spec.cls.event_text(values)
    command = spec.cls(caller)
    result = command.run(**values | more)
    if spec.event:
        made = result[0] if isinstance(result, list) and result else result
        about = made if hasattr(made, "lock_key") else about  # what it answers with: a new row is in no parameter
        ports.events.one().done(spec.event, caller, about, f"Successfully completed {described(spec, about, text)}")
    return answer_of(spec, caller, result, command)


def _tell_failure(spec: Spec, caller: Caller, about: Any, error: Exception) -> None:
    if not spec.event:
        return
    text = f"Error while {described(spec, about)}: {text_for(error, is_root=False)}"
    try:
        ports.events.one().done(spec.event, caller, about, text, level="ERROR")
    except Exception:  # the caller has to hear of the first error, not of this one
        log.exception("the failure of %s could not be told", spec.name)


def run(spec: Spec, caller: Caller, values: dict[str, Any]) -> dict[str, Any]:
    command = spec.cls(caller)
    return answer_of(spec, caller, command.run(**values), command)


def answer_of(spec: Spec, caller: Caller, result: Any, command: Command) -> dict[str, Any]:
    return result if isinstance(result, dict) else render(spec, caller, result, command)


def render(spec: Spec, caller: Caller, row: Any, command: Any = None) -> dict[str, Any]:
    if spec.response is None:
        return {"success": True}
    if isinstance(row, list):  # a few commands answer with all that they made: addHost, registerTemplate
        rows = spec.response.of(caller, [each.pk for each in row])
        return {"count": len(rows), spec.response.wire_name: rows}
    return {spec.response.wire_name: spec.response.of(caller, [row.pk])[0] | (command or spec.cls(caller)).secrets(row)}


def subject(values: dict[str, Any]) -> Any:
    """The row an event is about: what was created, else the first row that was named."""
    return values.get("row") or next((v for v in values.values() if hasattr(v, "lock_key")), None)


def described(spec: Spec, about: Any, more: str = "") -> str:
    """What an event says after "Starting job for": a command, and the row that it is about."""
    return f"{spec.name}{f' of {about}' if about else ''}{f': {more}' if more else ''}"
