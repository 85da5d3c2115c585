"""What an operator sets for simulated calls: read from the words of configureSimulator, kept, counted down, taken back.

``value`` is a list of ``key:number`` or ``key:word`` pieces with "|" between them; docs/simulator.md is about it.
"""

import json
from collections.abc import Callable
from typing import Any

from apps.core.errors import InvalidParameter
from apps.core.retry import atomically
from apps.infrastructure.models import Cluster, Host, Pod, Zone
from apps.simulator.driver import CALLS
from apps.simulator.faults import FAULTS
from apps.simulator.models import Fault

O = Fault.Outcome  # noqa: E741
ALL = ("*", "all")
# What scripts written for the original call these calls of hosts.
AGENT_COMMANDS = {
    "startcommand": "power.start",
    "stopcommand": "power.stop",
    "rebootcommand": "power.reboot",
    "readycommand": "host.facts",
    "pingtestcommand": "host.machines",
    "attachcommand": "disks.attach",
    "attachvolumecommand": "disks.attach",
    "dettachcommand": "disks.detach",
    "createcommand": "disks.create",
    "createobjectcommand": "disks.create",
    "copycommand": "disks.create",
    "deletecommand": "disks.delete",
    "destroycommand": "disks.delete",
    "resizevolumecommand": "disks.resize",
    "attachisocommand": "power.insert",
    "plugniccommand": "nics.plug",
    "unplugniccommand": "nics.unplug",
}
FAULTS_BY_WORD = {"refused": O.REFUSED, "busy": O.BUSY, "lost": O.LOST_BEFORE, "acted": O.LOST_AFTER, "late": O.LATE}
LONGEST = 3_600_000  # milliseconds


@atomically
def configure(
    *,
    name: str,
    value: str,
    zone: Zone | None = None,
    pod: Pod | None = None,
    cluster: Cluster | None = None,
    host: Host | None = None,
    times: int | None = None,
    answer: str = "",
) -> Fault:
    """From now on these calls are slow or go wrong."""
    how = read(value)
    if answer:
        how["outcome"] = outcome_of(answer)
    if how.get("outcome") == O.LATE and "late_ms" not in how:
        raise InvalidParameter("value: fault:late needs after:MILLISECONDS")
    places = {"zone": zone, "pod": pod, "cluster": cluster, "host": host}
    row = Fault.objects.create(
        name=name,
        value=value,
        call=call_of(name),
        times=-1 if times is None else times,
        **{word: place.pk if place else 0 for word, place in places.items()},
        **how,
    )
    FAULTS.outdated()
    return row


def call_of(name: str) -> str:
    if name.lower() in ALL:
        return ""
    call = AGENT_COMMANDS.get(name.rpartition(".")[2].lower(), name)
    if call not in CALLS:
        raise InvalidParameter(f"name: {name} is no call of a simulated host; there are {', '.join(sorted(CALLS))}")
    return call


def read(value: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for piece in filter(None, value.split("|")):
        key, _, text = piece.partition(":")
        if key not in READERS:
            raise InvalidParameter(f"value: {key!r} is none of {', '.join(READERS)}")
        column, reader = READERS[key]
        found[column] = reader(key, text)
    return found


def _number(key: str, text: str, largest: int = LONGEST) -> int:
    if not text.isdecimal() or int(text) > largest:
        raise InvalidParameter(f"value: {key} takes a number from 0 to {largest}")
    return int(text)


def _percent(key: str, text: str) -> int:
    return _number(key, text, 100)


def _fault(key: str, text: str) -> str:
    if text not in FAULTS_BY_WORD:
        raise InvalidParameter(f"value: {key} takes one of {', '.join(FAULTS_BY_WORD)}")
    return FAULTS_BY_WORD[text]


def _enabled(key: str, text: str) -> str:
    if text.lower() not in ("true", "false"):
        raise InvalidParameter(f"value: {key} takes true or false")
    return O.NONE if text.lower() == "true" else O.REFUSED


READERS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "wait": ("latency_ms", _number),
    "fault": ("outcome", _fault),
    "after": ("late_ms", _number),
    "percent": ("percent", _percent),
    "enabled": ("outcome", _enabled),
}


def outcome_of(answer: str) -> str:
    """Of an answer as the original's agents give it: only one that has failed can be told to a host here."""
    try:
        inner: Any = json.loads(answer)
    except ValueError:
        raise InvalidParameter("jsonresponse: it is no JSON") from None
    while isinstance(inner, dict) and "result" not in inner and len(inner) == 1:
        (inner,) = inner.values()
    if not isinstance(inner, dict) or inner.get("result") is not False:
        raise InvalidParameter('jsonresponse: only an answer with "result": false can be given')
    return O.REFUSED


@atomically
def remove(key: int | None = None) -> None:
    """One of them, or all."""
    rows = Fault.objects.all() if key is None else Fault.objects.filter(pk=key)
    if not rows.delete()[0] and key is not None:
        raise InvalidParameter(f"id: nothing is set under number {key}")
    FAULTS.outdated()
