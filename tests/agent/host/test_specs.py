import dataclasses

import pytest

from agent.host import specs as machine_specs
from agent.host.console import ConsoleAddress, png_of
from agent.http.decode import decode
from agent.http.errors import Invalid
from agent.storage import specs as disk_specs
from apps.hypervisors import base

UUID = "00000000-0000-0000-0000-00000000000a"
NIC = {"uuid": UUID, "mac": "02:00:00:00:00:01", "network": UUID}
VM = {"uuid": UUID, "cpus": 1, "memory_mib": 64}


@pytest.mark.parametrize(
    "ours",
    [
        disk_specs.PoolSpec,
        disk_specs.PoolStats,
        disk_specs.ImageSpec,
        disk_specs.DiskSpec,
        disk_specs.ImageRules,
        disk_specs.StoredImage,
        machine_specs.NicSpec,
        machine_specs.MachineSpec,
        ConsoleAddress,
    ],
)
def test_both_sides_speak_of_the_same(ours):
    """The agent cannot import what the manager has."""
    theirs = getattr(base, ours.__name__)

    names = [(field.name, field.default) for field in dataclasses.fields(ours)]
    assert names == [(field.name, field.default) for field in dataclasses.fields(theirs)]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (machine_specs.MachineSpec, {**VM, "name": "a b"}, "vm.name"),
        (machine_specs.MachineSpec, {**VM, "name": "../x"}, "vm.name"),
        (machine_specs.MachineSpec, {**VM, "uuid": "x"}, "vm.uuid"),
        (machine_specs.MachineSpec, {**VM, "cpus": 0}, "not possible"),
        (machine_specs.MachineSpec, {**VM, "memory_mib": -1}, "not possible"),
        (machine_specs.MachineSpec, {**VM, "nics": [NIC, NIC]}, "one is there twice"),
        (machine_specs.NicSpec, {**NIC, "mac": "02:00:00:00:00:01'/>"}, "nic.mac"),
        (machine_specs.NicSpec, {**NIC, "network": "net"}, "nic.network"),
        (machine_specs.NicSpec, {**NIC, "segment": "vlan:1; reboot"}, "nic.segment"),
        (disk_specs.DiskSpec, {"uuid": UUID, "size": 0}, "disk.size"),
        (disk_specs.DiskSpec, {"uuid": UUID, "size": 1000}, "disk.size"),
        (disk_specs.DiskSpec, {"uuid": UUID, "size": 1 << 61}, "disk.size"),
        (disk_specs.DiskSpec, {"uuid": UUID, "size": 512, "device_id": 64}, "disk.device_id"),
        (disk_specs.DiskSpec, {"uuid": f"{UUID}/..", "size": 512}, "disk.uuid"),
    ],
)
def test_what_becomes_a_name_or_a_size_is_checked(kind, value, text):
    with pytest.raises(Invalid, match=text):
        decode(kind, value, "x")


def test_a_pixmap_becomes_a_picture():
    picture = png_of(b"P6\n2 1\n255\n" + bytes([10, 13, 32, 0, 0, 255]))

    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture[16:24] == (2).to_bytes(4, "big") + (1).to_bytes(4, "big")
