"""The power of machines. They are transient: libvirt knows a machine while it runs and not a moment longer. So nothing
starts by itself after the host did, nothing is left of a start that failed or of an agent that was killed, and what is
true of a machine that does not run is only what the manager says.
"""

import os
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

from agent.host.domain_xml import Disk, Flavour, Machine, Screen, cdrom, domain, shares
from agent.host.link import Link
from agent.host.live import Live, Running
from agent.host.networking import Segments
from agent.host.specs import MachineSpec
from agent.http.errors import Refused, Unknown
from agent.http.keys import Deadline
from agent.storage.disks import Disks
from agent.storage.images import place
from agent.storage.sources import Source
from agent.storage.specs import ImageSpec

CUT = 15.0  # seconds that are kept for cutting the power after asking in vain
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"  # 64: a byte chooses one evenly


def password() -> str:
    """VNC takes eight characters."""
    return "".join(ALPHABET[byte & 63] for byte in os.urandom(8))


class Machines:
    def __init__(
        self,
        link: Link,
        live: Live,
        disks: Disks,
        segments: Segments,
        flavour: Callable[[], Flavour],
        listen: str,
        host_mhz: Callable[[], int],
    ):
        self._link, self._live, self._disks, self._segments = link, live, disks, segments
        self._flavour, self._listen, self._host_mhz = flavour, listen, host_mhz
        self._reboots: dict[str, int] = {}

    def machines(self, deadline: Deadline) -> list[str]:
        return [running.uuid for running in self._live.all(deadline)]

    def runs(self, vm: str, deadline: Deadline) -> bool:
        return self._live.find(vm, deadline) is not None

    # -- start

    def start(self, vm: MachineSpec, deadline: Deadline) -> None:
        running = self._live.all(deadline)
        if any(each.uuid == vm.uuid for each in running):
            return
        self._refuse_shared(vm, running)
        text = domain(self._found(vm, deadline), self._flavour())
        try:
            with self._link.asking(deadline, changes=True) as connection:
                connection.createXML(text, 0)
        except Refused:
            for nic in vm.nics:
                self._segments.unplugged(nic.uuid)
            raise
        for nic in vm.nics:
            self._segments.plugged(vm.uuid, nic)

    @staticmethod
    def _refuse_shared(vm: MachineSpec, running: list[Running]) -> None:
        """NFS and iSCSI know no locks: that nobody else here has the disk we see ourselves."""
        wanted = {disk.uuid for disk in vm.disks}
        for other in running:
            if shared := wanted & set(other.disks):
                raise Refused(f"disk {min(shared)} is in machine {other.uuid}")

    def _found(self, vm: MachineSpec, deadline: Deadline) -> Machine:
        taken = {disk.device_id for disk in vm.disks}
        free = (number for number in range(64) if number not in taken)
        disks = tuple(
            Disk(each.uuid, next(free) if each.device_id is None else each.device_id, self._disks.source(each))
            for each in vm.disks
        )
        nics = tuple((nic, self._segments.ensure(nic, deadline)) for nic in sorted(vm.nics, key=lambda n: n.device_id))
        iso, screen = self._iso(vm.iso), Screen(self._listen, password())
        return Machine(vm, os.urandom(8).hex(), disks, nics, iso, screen, shares(vm, self._host_mhz()))

    @staticmethod
    def _iso(iso: ImageSpec | None) -> Source | None:
        """ISOs are read where they lie: in secondary storage."""
        if iso is None:
            return None
        store, _, name = iso.url.rpartition("/")
        folder, last = place(store, name)
        if not folder.has(last):
            raise Refused(f"there is no ISO {iso.uuid} at its place in secondary storage")
        return folder.source(last, "raw")

    # -- stop

    def stop(self, vm: str, deadline: Deadline, force: bool = False) -> None:
        running = self._live.find(vm, deadline)
        if running is None:
            return
        if not force and running.state == "running":
            self._ask_to_end(vm, deadline)
        self._cut(vm, deadline)
        for nic in running.nics:
            self._segments.unplugged(nic)

    def _ask_to_end(self, vm: str, deadline: Deadline) -> None:
        patience = deadline.left(keep=CUT)
        if not patience:
            return
        try:
            self._with(vm, deadline, lambda domain: domain.shutdown())
        except Refused:
            return  # the guest does not listen
        self._link.until(lambda: not self.runs(vm, deadline), patience)

    def _cut(self, vm: str, deadline: Deadline) -> None:
        """The power. QEMU has written what the guest flushed."""
        with self._link.asking(deadline, changes=True) as connection:
            if found := self._link.domain(connection, vm):
                try:
                    found.destroy()
                except self._link.libvirt.libvirtError as error:
                    if not self._is_over(error):
                        raise
        if not self._link.until(lambda: not self.runs(vm, deadline), deadline.left(), every=0.2):
            raise Unknown(f"machine {vm} does not end")

    def _is_over(self, error: Any) -> bool:
        """It ended by itself meanwhile."""
        return self._link.missing(error) or error.get_error_code() == self._link.libvirt.VIR_ERR_OPERATION_INVALID

    # -- reboot

    def rebooted(self, vm: str) -> None:
        """An event."""
        self._reboots[vm] = self._reboots.get(vm, 0) + 1

    def reboot(self, vm: str, deadline: Deadline, force: bool = False) -> None:
        self._live.get(vm, deadline)
        before = self._reboots.get(vm, 0)
        patience = 0.0 if force else deadline.left(keep=CUT)
        if not (patience and self._asked_to_reboot(vm, deadline) and self._has_rebooted(vm, before, patience)):
            self._with(vm, deadline, lambda domain: domain.reset(0))

    def _has_rebooted(self, vm: str, before: int, patience: float) -> bool:
        return self._link.until(lambda: self._reboots.get(vm, 0) != before, patience)

    def _asked_to_reboot(self, vm: str, deadline: Deadline) -> bool:
        try:
            self._with(vm, deadline, lambda domain: domain.reboot(self._link.libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN))
        except Refused:
            return False
        return True

    def _with(self, vm: str, deadline: Deadline, act: Callable[[Any], object]) -> None:
        with self._link.asking(deadline, changes=True) as connection:
            found = self._link.domain(connection, vm)
            if found is None:
                raise Refused(f"machine {vm} does not run here")
            act(found)

    # -- the drive

    def insert(self, vm: str, deadline: Deadline, iso: ImageSpec | None = None) -> None:
        drive, wanted = self._live.get(vm, deadline).cdrom, self._iso(iso)
        if drive is None:
            raise Refused(f"machine {vm} has no drive")
        if _lies_in(drive) == (wanted and wanted.path):
            return
        libvirt, text = self._link.libvirt, ET.tostring(cdrom(wanted), encoding="unicode")
        flags = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE
        self._with(vm, deadline, lambda domain: domain.updateDeviceFlags(text, flags))


def _lies_in(drive: ET.Element) -> str | None:
    source = drive.find("source")
    return None if source is None else source.get("file") or source.get("name")
