"""What the host itself uses, as its kernel counts it."""

import os
from pathlib import Path
from typing import Any

BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal; what guests use is part of user
RECEIVED, SENT = 0, 8


class HostUse:
    def __init__(self, proc: Path = Path("/proc"), cards: Path = Path("/sys/class/net")):
        self._proc, self._cards = proc, cards

    def told(self) -> dict[str, Any] | None:
        """Totals since the host started; ``epoch`` is another after the next start. None where a kernel counts
        otherwise: a report must not fail for it.
        """
        try:
            return self._told()
        except (OSError, LookupError, ValueError):
            return None

    def _told(self) -> dict[str, Any]:
        memory = self._memory()
        received, sent = self._moved()
        return {
            "epoch": self._read("sys/kernel/random/boot_id").strip().replace("-", ""),
            "cpu_seconds": self._busy(),
            "memory_bytes": (memory["MemTotal"] - memory["MemAvailable"]) << 10,
            "received_bytes": received,
            "sent_bytes": sent,
            "load_average": float(self._read("loadavg").split()[0]),
        }

    def _read(self, name: str) -> str:
        return (self._proc / name).read_text()

    def _busy(self) -> float:
        ticks = [int(word) for word in self._read("stat").splitlines()[0].split()[1:]]
        return sum(ticks[place] for place in BUSY) / os.sysconf("SC_CLK_TCK")

    def _memory(self) -> dict[str, int]:
        lines = (line.partition(":") for line in self._read("meminfo").splitlines())
        return {name: int(rest.split()[0]) for name, _, rest in lines if rest}

    def _moved(self) -> tuple[int, int]:
        """By cards that are devices: what passes a bridge, a bond or a tap passes one of them too, or no wire."""
        received = sent = 0
        for line in self._read("net/dev").splitlines()[2:]:
            name, _, rest = line.partition(":")
            if (self._cards / name.strip() / "device").exists():
                counts = rest.split()
                received, sent = received + int(counts[RECEIVED]), sent + int(counts[SENT])
        return received, sent
