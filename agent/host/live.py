"""What runs here, as libvirt says it."""

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from agent.host.domain_xml import CDROM, DISK, META, NIC
from agent.host.link import Link
from agent.http.errors import Refused
from agent.http.keys import Deadline

LOOK = 10.0  # seconds for a look that no caller waits for


@dataclass(frozen=True)
class Running:
    """A machine of ours."""

    uuid: str
    run: str
    state: str  # running, paused
    xml: ET.Element

    def device(self, alias: str) -> ET.Element | None:
        return next((each for each in self.xml.iterfind("devices/*") if _alias(each) == alias), None)

    def _named(self, prefix: str) -> dict[str, ET.Element]:
        found = ((_alias(each), each) for each in self.xml.iterfind("devices/*"))
        return {alias.removeprefix(prefix): each for alias, each in found if alias.startswith(prefix)}

    @property
    def disks(self) -> dict[str, ET.Element]:
        return self._named(DISK)

    @property
    def nics(self) -> dict[str, ET.Element]:
        return self._named(NIC)

    @property
    def cdrom(self) -> ET.Element | None:
        return self.device(CDROM)


def _alias(device: ET.Element) -> str:
    alias = device.find("alias")
    return "" if alias is None else alias.get("name", "")


def target(device: ET.Element) -> str:
    element = device.find("target")
    return "" if element is None else element.get("dev", "")


class Live:
    def __init__(self, link: Link):
        self._link = link

    def all(self, deadline: Deadline) -> list[Running]:
        """All machines of ours."""
        with self._link.asking(deadline) as connection:
            domains = connection.listAllDomains(self._link.libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
            found = [self._read(domain) for domain in domains]
        return [running for running in found if running]

    def find(self, vm: str, deadline: Deadline) -> Running | None:
        with self._link.asking(deadline) as connection:
            domain = self._link.domain(connection, vm)
            return self._read(domain) if domain else None

    def get(self, vm: str, deadline: Deadline) -> Running:
        found = self.find(vm, deadline)
        if found is None:
            raise Refused(f"machine {vm} does not run here")
        return found

    def _read(self, domain: Any) -> Running | None:
        try:
            xml = ET.fromstring(domain.XMLDesc(0))  # noqa: S314 - libvirt's own
            state = domain.state()[0]
        except self._link.libvirt.libvirtError as error:
            if self._link.missing(error):
                return None  # it ended just now
            raise
        mark = xml.find(f"metadata/{{{META}}}machine")
        if mark is None:
            return None  # not ours
        paused = state in (self._link.libvirt.VIR_DOMAIN_PAUSED, self._link.libvirt.VIR_DOMAIN_PMSUSPENDED)
        return Running(domain.UUIDString(), mark.get("run", ""), "paused" if paused else "running", xml)

    # -- for disks in pools

    def disks(self) -> dict[str, str]:
        return {disk: running.uuid for running in self.all(Deadline(LOOK)) for disk in running.disks}

    def user_of(self, disk: str) -> str | None:
        return self.disks().get(disk)

    def resize(self, vm: str, disk: str, size: int) -> None:
        deadline = Deadline(LOOK)
        device = self.get(vm, deadline).disks.get(disk)
        if device is None:
            raise Refused(f"disk {disk} is not in machine {vm}")
        if device.find("source/slices") is not None:
            raise Refused(f"disk {disk} lies on a unit of an iSCSI target: it can be resized while {vm} is stopped")
        with self._link.asking(deadline, changes=True) as connection:
            domain = connection.lookupByUUIDString(vm)
            domain.blockResize(target(device), size, self._link.libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
