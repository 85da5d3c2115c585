from xml.etree import ElementTree as ET

import pytest

from agent.host import domain_xml as dx
from agent.host.facts import can_kvm
from agent.host.specs import MachineSpec, NicSpec
from agent.storage.sources import Source

VM, DISK, NIC, NET = (f"00000000-0000-0000-0000-00000000000{letter}" for letter in "adef")


def machine(**values):
    image = Source("file", "/p/image.qcow2", "qcow2")
    nfs = Source(
        "nfs", "/e/x.qcow2", "qcow2", host="10.0.0.5", backing=Source("nfs", "/e/i.qcow2", "qcow2", host="10.0.0.5")
    )
    unit = Source("iscsi", "iqn.a:b/3", "raw", "10.0.0.5", 3260, size=4096, user="u", secret=VM, initiator="iqn.c:d")
    disks = (Source("file", "/p/x.qcow2", "qcow2", backing=image), nfs, unit)
    nic = NicSpec(NIC, "02:00:00:00:00:0A", NET)
    spec = MachineSpec(VM, 2, 512, name="i-2-7-VM", nics=(nic,), **values)
    made = tuple(dx.Disk(DISK[:-1] + str(n), n, source) for n, source in enumerate(disks))
    screen = dx.Screen("10.0.0.1", "geheim12")
    return dx.Machine(spec, "r1", made, ((nic, dx.Bridge("br0", 1450)),), None, screen, shares=100)


def parsed(flavour=dx.TCG):
    return ET.fromstring(dx.domain(machine(), flavour))


def test_names_and_sizes():
    xml = parsed()

    assert [xml.findtext(tag) for tag in ("name", "uuid", "memory", "vcpu", "cputune/shares")] == [
        "i-2-7-VM",
        VM,
        "512",
        "2",
        "100",
    ]
    assert xml.find(f"metadata/{{{dx.META}}}machine").get("run") == "r1"


def test_a_disk_is_known_by_its_uuid_and_its_whole_chain_is_said():
    disk = parsed().find("devices/disk")

    assert disk.findtext("serial") == "0000000000000000000000000000000d"[:20]
    assert disk.find("alias").get("name") == f"ua-disk-{DISK[:-1]}0"
    assert disk.find("target").attrib == {"dev": "vda", "bus": "virtio"}
    assert disk.find("backingStore/source").get("file") == "/p/image.qcow2"
    assert list(disk.find("backingStore/backingStore")) == []


def test_a_unit_of_a_target_is_cut_to_the_disk_and_its_password_is_libvirts():
    source = parsed().findall("devices/disk")[2].find("source")

    assert source.find("slices/slice").attrib == {"type": "storage", "offset": "0", "size": "4096"}
    assert source.find("auth/secret").attrib == {"type": "iscsi", "uuid": VM}
    assert source.find("initiator/iqn").get("name") == "iqn.c:d"


def test_a_card_has_its_tap_and_the_size_of_its_segment():
    card = parsed().find("devices/interface")

    assert [card.find(tag).attrib for tag in ("mac", "source", "target", "model", "mtu")] == [
        {"address": "02:00:00:00:00:0a"},
        {"bridge": "br0"},
        {"dev": "t00000000000000"},
        {"type": "virtio"},
        {"size": "1450"},
    ]


def test_the_screen_is_on_the_management_address_with_a_password():
    screen = parsed().find("devices/graphics")

    assert (screen.get("listen"), screen.get("passwd")) == ("10.0.0.1", "geheim12")


@pytest.mark.parametrize(("flavour", "kind"), [(dx.KVM, "kvm"), (dx.TCG, "qemu"), (dx.XEN, "xen")])
def test_what_differs_between_hypervisors(flavour, kind):
    xml = parsed(flavour)

    assert xml.get("type") == kind
    assert (xml.find("features/tcg/tb-cache") is not None) == (kind == "qemu")
    assert (xml.find("devices/channel") is not None) == (kind != "xen")
    assert xml.find("devices/disk/target").get("dev") == ("xvda" if kind == "xen" else "vda")


@pytest.mark.parametrize(("number", "name"), [(0, "a"), (25, "z"), (26, "aa"), (51, "az"), (52, "ba")])
def test_letters_of_devices(number, name):
    assert dx.device_name(number) == name


@pytest.mark.parametrize(
    ("cpus", "mhz", "host", "shares"),
    [(1, 1000, 8000, 1250), (2, 4000, 8000, 10000), (1, 1, 100000, 2), (1, 0, 8000, 0), (4, 4000, 8000, 10000)],
)
def test_shares_are_a_part_of_the_host(cpus, mhz, host, shares):
    assert dx.shares(MachineSpec(VM, cpus, 1, speed_mhz=mhz), host) == shares


def test_hardware_is_used_only_if_the_processor_says_so(tmp_path):
    device = tmp_path / "kvm"
    device.touch()

    assert can_kvm("flags\t\t: fpu vmx sse", device) is True
    assert can_kvm("flags\t\t: fpu svm", device) is True
    assert can_kvm("flags\t\t: fpu sse\nmodel name\t: vmx", device) is False
    assert can_kvm("flags\t\t: fpu vmx", tmp_path / "none") is False
