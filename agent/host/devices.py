"""Disks and cards of running machines. To take one away the guest must let go of it: that is asked, and seen later."""

import time
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

from agent.host import domain_xml
from agent.host.domain_xml import DISK, NIC, Disk, Flavour, device_name
from agent.host.link import Link
from agent.host.live import Live, Running, target
from agent.host.networking import Segments
from agent.host.specs import NicSpec
from agent.http.errors import Refused, Unknown
from agent.http.keys import Deadline
from agent.storage.disks import Disks
from agent.storage.specs import DiskSpec

AGAIN = 4.0  # seconds after which a guest is asked once more: one that boots does not hear the first time
ANSWER = 1.0  # seconds that are kept for the answer
MOST = 64


class Devices:
    def __init__(self, link: Link, live: Live, disks: Disks, segments: Segments, flavour: Callable[[], Flavour]):
        self._link, self._live, self._disks, self._segments, self._flavour = link, live, disks, segments, flavour

    # -- disks

    def attach(self, vm: str, disk: DiskSpec, deadline: Deadline) -> None:
        running = self._live.get(vm, deadline)
        user = self._live.user_of(disk.uuid)
        if user == vm:
            return
        if user:
            raise Refused(f"disk {disk.uuid} is in machine {user}")
        source = self._disks.source(disk)
        slot = self._slot(running, disk.device_id)
        self._add(vm, domain_xml.disk(Disk(disk.uuid, slot, source), self._flavour()), deadline)

    def _slot(self, running: Running, wanted: int | None) -> int:
        taken = {target(each) for each in running.disks.values()}
        names = {number: f"{self._flavour().disk_prefix}{device_name(number)}" for number in range(MOST)}
        if wanted is None:
            wanted = next((number for number, name in names.items() if name not in taken), MOST)
        if wanted == MOST or names[wanted] in taken:
            raise Refused(f"device_id: {wanted} is not free in machine {running.uuid}")
        return wanted

    def detach(self, vm: str, disk: str, deadline: Deadline) -> None:
        self._remove(vm, f"{DISK}{disk}", deadline)

    def has_disk(self, vm: str, disk: str, deadline: Deadline) -> bool:
        running = self._live.find(vm, deadline)
        return running is not None and disk in running.disks

    # -- cards

    def plug(self, vm: str, nic: NicSpec, deadline: Deadline) -> None:
        if nic.uuid in self._live.get(vm, deadline).nics:
            return
        bridge = self._segments.ensure(nic, deadline)
        self._add(vm, domain_xml.interface(nic, bridge, self._flavour()), deadline)
        self._segments.plugged(vm, nic)

    def unplug(self, vm: str, nic: str, deadline: Deadline) -> None:
        self._remove(vm, f"{NIC}{nic}", deadline)
        self._segments.unplugged(nic)

    def has_nic(self, vm: str, nic: str, deadline: Deadline) -> bool:
        running = self._live.find(vm, deadline)
        return running is not None and nic in running.nics

    # -- both

    def _add(self, vm: str, device: ET.Element, deadline: Deadline) -> None:
        text = ET.tostring(device, encoding="unicode")
        with self._link.asking(deadline, changes=True) as connection:
            domain = self._link.domain(connection, vm)
            if domain is None:
                raise Refused(f"machine {vm} does not run here")
            domain.attachDeviceFlags(text, self._link.libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def _remove(self, vm: str, alias: str, deadline: Deadline) -> None:
        def is_gone() -> bool:
            running = self._live.find(vm, deadline)
            return running is None or running.device(alias) is None

        until = time.monotonic() + deadline.left(keep=ANSWER)
        while not is_gone():
            with self._link.asking(deadline, changes=True) as connection:
                if domain := self._link.domain(connection, vm):
                    self._ask(domain, alias)
            left = until - time.monotonic()
            if not self._link.until(is_gone, max(0.0, min(AGAIN, left)), every=0.5) and left <= AGAIN:
                raise Unknown(f"the guest of machine {vm} has not let go of {alias.removeprefix('ua-')} yet")

    def _ask(self, domain: Any, alias: str) -> None:
        libvirt = self._link.libvirt
        try:
            domain.detachDeviceAlias(alias, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except libvirt.libvirtError as error:
            code = error.get_error_code()
            is_asked = "in the process of unplug" in str(error)
            if not is_asked and code != libvirt.VIR_ERR_DEVICE_MISSING and not self._link.missing(error):
                raise
