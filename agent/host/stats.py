"""What machines have used. QEMU counts from zero after each start, and cards and disks after each plugging; here are
totals that only grow, kept over restarts of QEMU and of the agent by adding differences.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from agent.host.domain_xml import DISK, META, NIC
from agent.host.link import Link
from agent.host.live import target
from agent.http.errors import AgentError
from agent.http.identity import write_private
from agent.http.keys import Deadline
from agent.http.log import Log

INTERVAL = 30.0
FORGET = 7 * 24 * 3600.0  # seconds after a machine ran here last
NET = {"received_bytes": "rx.bytes", "sent_bytes": "tx.bytes", "received_packets": "rx.pkts", "sent_packets": "tx.pkts"}
BLOCK = {
    "read_bytes": "rd.bytes",
    "written_bytes": "wr.bytes",
    "read_requests": "rd.reqs",
    "write_requests": "wr.reqs",
}
Counters = dict[str, dict[str, int]]  # of "cpu", "nic:UUID", "disk:UUID"


class Account:
    """Of one machine."""

    def __init__(self, said: dict[str, Any] | None = None):
        said = said or {}
        self.epoch: str = said.get("epoch") or os.urandom(8).hex()
        self.run: str = said.get("run", "")
        self.seen: float = said.get("seen", 0.0)
        self.memory_kib: int = said.get("memory_kib", 0)
        self.last: Counters = said.get("last", {})
        self.total: Counters = said.get("total", {})

    def add(self, run: str, now: Counters, memory_kib: int, at: float) -> None:
        """``now`` is what QEMU counts. What counts less than before, or in another run, has begun again at zero."""
        before = self.last if run == self.run else {}
        for name, values in now.items():
            old, total = before.get(name, {}), self.total.setdefault(name, {})
            is_new = any(value < old.get(key, 0) for key, value in values.items())
            for key, value in values.items():
                total[key] = total.get(key, 0) + value - (0 if is_new else old.get(key, 0))
        self.last, self.run, self.seen, self.memory_kib = now, run, at, memory_kib

    def told(self, uuid: str) -> dict[str, Any]:
        def of(prefix: str) -> list[dict[str, Any]]:
            names = sorted(name for name in self.total if name.startswith(prefix))
            return [{"uuid": name.removeprefix(prefix), **self.total[name]} for name in names]

        cpu = self.total.get("cpu", {}).get("ns", 0) / 1e9
        head = {"uuid": uuid, "epoch": self.epoch, "cpu_seconds": cpu, "memory_kib": self.memory_kib}
        return {**head, "nics": of("nic:"), "disks": of("disk:")}


class Stats:
    def __init__(self, link: Link, path: Path, log: Log, now: Callable[[], float] = time.time):
        self._link, self._path, self._log, self._now = link, path, log, now
        self._lock, self._reading = threading.Lock(), threading.Lock()
        said = json.loads(path.read_text()) if path.exists() else {}
        self._accounts = {uuid: Account(each) for uuid, each in said.items()}

    def machines(self, deadline: Deadline) -> list[dict[str, Any]]:
        self.sample(deadline)
        return self.told()

    def told(self) -> list[dict[str, Any]]:
        with self._lock:
            return [account.told(uuid) for uuid, account in sorted(self._accounts.items())]

    def keep_sampling(self, stop: threading.Event) -> None:
        """A thread of its own."""
        while not stop.wait(INTERVAL):
            try:
                self.sample(Deadline(INTERVAL))
            except AgentError as error:
                self._log("stats not read", error=str(error))
            except Exception as error:
                self._log.failure("stats failed", error)

    def sample(self, deadline: Deadline) -> None:
        """One at a time: counters that were read earlier and added later would look as if they had begun again."""
        with self._reading:
            self._add(self._read(deadline), self._now())

    def _add(self, found: dict[str, tuple[str, Counters, int]], at: float) -> None:
        with self._lock:
            for uuid, (run, counters, memory_kib) in found.items():
                self._accounts.setdefault(uuid, Account()).add(run, counters, memory_kib, at)
            for uuid, account in list(self._accounts.items()):
                if account.seen < at - FORGET:
                    del self._accounts[uuid]
                elif uuid not in found:
                    account.memory_kib = 0
            write_private(self._path, json.dumps({uuid: vars(each) for uuid, each in self._accounts.items()}))

    def _read(self, deadline: Deadline) -> dict[str, tuple[str, Counters, int]]:
        libvirt = self._link.libvirt
        kinds = ("STATE", "CPU_TOTAL", "INTERFACE", "BLOCK", "BALLOON")
        wanted = 0
        for kind in kinds:
            wanted |= getattr(libvirt, f"VIR_DOMAIN_STATS_{kind}")
        flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        found = {}
        with self._link.asking(deadline) as connection:
            for domain, values in connection.getAllDomainStats(wanted, flags):
                try:
                    xml = ET.fromstring(domain.XMLDesc(0))  # noqa: S314 - libvirt's own
                except libvirt.libvirtError:
                    continue  # it ended just now
                mark = xml.find(f"metadata/{{{META}}}machine")
                if mark is not None:
                    memory = int(values.get("balloon.current", 0))
                    found[domain.UUIDString()] = (mark.get("run", ""), counters(values, xml), memory)
        return found


def counters(values: dict[str, Any], xml: ET.Element) -> Counters:
    """By what devices are, not by where they are plugged in."""
    names = {}
    for device in xml.iterfind("devices/*"):
        alias = device.find("alias")
        text = "" if alias is None else alias.get("name", "")
        for prefix, kind in ((DISK, "disk"), (NIC, "nic")):
            if text.startswith(prefix):
                names[target(device)] = f"{kind}:{text.removeprefix(prefix)}"
    found: Counters = {"cpu": {"ns": int(values["cpu.time"])}} if "cpu.time" in values else {}
    for kind, fields in (("net", NET), ("block", BLOCK)):
        for number in range(int(values.get(f"{kind}.count", 0))):
            name = names.get(values.get(f"{kind}.{number}.name", ""))
            if name:
                found[name] = {key: int(values.get(f"{kind}.{number}.{field}", 0)) for key, field in fields.items()}
    return found
