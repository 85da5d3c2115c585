"""What the host is."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import VERSION
from agent.host.domain_xml import KVM, TCG, XEN, Flavour
from agent.host.link import Link
from agent.http.keys import Deadline

VIRTUALISATION = {"vmx", "svm"}


@dataclass(frozen=True)
class HostFacts:
    cpu_cores: int
    cpu_speed_mhz: int
    memory_bytes: int
    version: str = ""
    cpu_sockets: int = 1
    name: str = ""
    hypervisor: str = ""  # kvm, qemu (in software), xen
    agent: str = VERSION


def can_kvm(cpuinfo: str, device: Path) -> bool:
    """By the processor's flags: a device may be there on machines that cannot, and libvirt believes the device."""
    flags = {flag for line in cpuinfo.splitlines() if line.startswith("flags") for flag in line.split()[2:]}
    return bool(flags & VIRTUALISATION) and device.exists()


class Facts:
    def __init__(self, link: Link):
        self._link = link
        self._flavour: Flavour | None = None
        self._facts: HostFacts | None = None

    def flavour(self) -> Flavour:
        if self._flavour is None:
            with self._link.asking(Deadline(10)) as connection:
                is_xen = connection.getType() == "Xen"
            kvm = can_kvm(Path("/proc/cpuinfo").read_text(), Path("/dev/kvm"))
            self._flavour = XEN if is_xen else KVM if kvm else TCG
        return self._flavour

    def facts(self, deadline: Deadline) -> HostFacts:
        flavour = self.flavour()
        with self._link.asking(deadline) as connection:
            _, memory_mib, cpus, mhz, nodes, sockets, _, _ = connection.getInfo()
            version = f"{connection.getType()} {_dotted(connection.getVersion())}"
        found = HostFacts(
            cpu_cores=cpus,
            cpu_speed_mhz=mhz,
            memory_bytes=memory_mib << 20,
            version=version,
            cpu_sockets=max(1, nodes * sockets),
            name=os.uname().nodename,
            hypervisor=flavour.type,
        )
        self._facts = found
        return found

    def mhz(self) -> int:
        found = self._facts or self.facts(Deadline(10))
        return found.cpu_cores * found.cpu_speed_mhz


def _dotted(version: Any) -> str:
    return f"{version // 1000000}.{version // 1000 % 1000}.{version % 1000}"
