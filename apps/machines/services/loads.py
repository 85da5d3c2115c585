"""What machines use, as their hosts tell it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.loads import LARGEST, Loads, real, whole
from apps.core.settings import Setting
from apps.machines.models import Load, LoadSample

INTERVAL = Setting(
    "vm.stats.interval",
    60000,
    help_text="Milliseconds between two samples of what a machine uses; 0: none are kept.",
    minimum=0,
)
KEPT = Setting(
    "vm.stats.max.retention.time",
    720,
    help_text="Minutes that the samples of what machines use are kept.",
    minimum=0,
)
TOTALS = ("received_bytes", "sent_bytes", "read_bytes", "written_bytes", "read_requests", "write_requests")
LOADS = Loads(Load, LoadSample, "vm", "cpus", TOTALS, INTERVAL, KEPT)
note, forget_old = LOADS.note, LOADS.forget_old


@dataclass(frozen=True)
class Use:
    """Totals that only grow while ``epoch`` is the same."""

    epoch: str
    cpu_seconds: float
    memory_kib: int
    received_bytes: int
    sent_bytes: int
    read_bytes: int
    written_bytes: int
    read_requests: int
    write_requests: int


def read(told: Mapping[str, Any]) -> Use:
    """Of ``MachineStats`` as an object. KeyError, TypeError or ValueError where it is none."""
    nics, disks = told["nics"], told["disks"]

    def total(parts: Sequence[Mapping[str, Any]], name: str) -> int:
        return min(sum(max(0, int(part[name])) for part in parts), LARGEST)

    return Use(
        epoch=str(told["epoch"])[:32],
        cpu_seconds=real(told["cpu_seconds"]),
        memory_kib=whole(told.get("memory_kib", 0)),
        received_bytes=total(nics, "received_bytes"),
        sent_bytes=total(nics, "sent_bytes"),
        read_bytes=total(disks, "read_bytes"),
        written_bytes=total(disks, "written_bytes"),
        read_requests=total(disks, "read_requests"),
        write_requests=total(disks, "write_requests"),
    )
