"""What hosts use, as they tell it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.core.loads import Loads, real, whole
from apps.core.settings import Setting
from apps.infrastructure.models import HostLoad, HostLoadSample

INTERVAL = Setting(
    "host.stats.interval",
    60000,
    help_text="Milliseconds between two samples of what a host uses; 0: none are kept.",
    minimum=0,
)
KEPT = Setting(
    "host.stats.max.retention.time",
    720,
    help_text="Minutes that the samples of what hosts use are kept.",
    minimum=0,
)
TOTALS = ("received_bytes", "sent_bytes")
LOADS = Loads(HostLoad, HostLoadSample, "host", "cpu_cores", TOTALS, INTERVAL, KEPT)
note, forget_old = LOADS.note, LOADS.forget_old


@dataclass(frozen=True)
class HostUse:
    """Totals that only grow while ``epoch`` is the same, but for the memory in use and the load average."""

    epoch: str
    cpu_seconds: float
    memory_bytes: int
    received_bytes: int
    sent_bytes: int
    load_average: float


def read(told: Mapping[str, Any]) -> HostUse:
    """As an agent reports it. KeyError, TypeError or ValueError where it is no such object."""
    return HostUse(
        epoch=str(told["epoch"])[:32],
        cpu_seconds=real(told["cpu_seconds"]),
        memory_bytes=whole(told["memory_bytes"]),
        received_bytes=whole(told["received_bytes"]),
        sent_bytes=whole(told["sent_bytes"]),
        load_average=real(told["load_average"]),
    )
