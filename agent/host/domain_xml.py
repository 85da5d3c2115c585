"""What libvirt is told of a machine. Devices have names (aliases) made of our uuids: by them they are found again in
what runs, and in events.
"""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from agent.host.specs import MachineSpec, NicSpec
from agent.storage.sources import Source

META = "urn:cloudportal:machine"
DISK, NIC, CDROM = "ua-disk-", "ua-nic-", "ua-cdrom"
TRANSLATED_CODE_MIB = 64  # a Linux that boots in 16 is translated again and again; QEMU would take all it may
MOST_SHARES = 10000  # the scale of both versions of control groups
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Flavour:
    """What differs between the hypervisors that libvirt drives."""

    type: str  # of the domain
    machine: str
    disk_bus: str
    disk_prefix: str
    cpu: tuple[str, str] = ("", "")  # mode and model
    nic_model: str = "virtio"
    is_qemu: bool = True


KVM = Flavour("kvm", "pc", "virtio", "vd", ("host-model", ""))
TCG = Flavour("qemu", "pc", "virtio", "vd", ("custom", "Nehalem"))
XEN = Flavour("xen", "xenfv", "xen", "xvd", nic_model="netfront", is_qemu=False)


@dataclass(frozen=True)
class Bridge:
    """Where a card is plugged in."""

    name: str
    mtu: int = 0  # 0: as the bridge has it


@dataclass(frozen=True)
class Disk:
    uuid: str
    device_id: int
    source: Source


@dataclass(frozen=True)
class Screen:
    listen: str
    password: str


@dataclass(frozen=True)
class Machine:
    """A specification, and what this host has found for it."""

    spec: MachineSpec
    run: str  # another one each time that it is started
    disks: tuple[Disk, ...]
    nics: tuple[tuple[NicSpec, Bridge], ...]
    iso: Source | None
    screen: Screen
    shares: int = 0


def add(parent: ET.Element, tag: str, text: str | int | None = None, **attributes: str | int) -> ET.Element:
    element = ET.SubElement(parent, tag, {name: str(value) for name, value in attributes.items() if value != ""})
    element.text = None if text is None else str(text)
    return element


def domain(machine: Machine, flavour: Flavour) -> str:
    spec, root = machine.spec, ET.Element("domain", type=flavour.type)
    add(root, "name", spec.name or spec.uuid)
    add(root, "uuid", spec.uuid)
    ET.SubElement(add(root, "metadata"), f"{{{META}}}machine", run=machine.run)
    add(root, "memory", spec.memory_mib, unit="MiB")
    add(root, "vcpu", spec.cpus)
    if machine.shares:
        add(add(root, "cputune"), "shares", machine.shares)
    _system(root, flavour)
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        add(root, f"on_{event}", action)
    _devices(add(root, "devices"), machine, flavour)
    return ET.tostring(root, encoding="unicode")


def _system(root: ET.Element, flavour: Flavour) -> None:
    system = add(root, "os")
    add(system, "type", "hvm", arch="x86_64", machine=flavour.machine)
    if not flavour.is_qemu:
        add(system, "loader", "/usr/lib/xen/boot/hvmloader", type="rom")
    for device in ("hd", "cdrom"):
        add(system, "boot", dev=device)
    features = add(root, "features")
    for name in ("acpi", "apic", "pae"):
        add(features, name)
    if flavour.type == "qemu":
        add(add(features, "tcg"), "tb-cache", TRANSLATED_CODE_MIB, unit="MiB")
    mode, model = flavour.cpu
    if mode:
        cpu = add(root, "cpu", mode=mode, match="exact" if model else "", check="none" if model else "")
        if model:
            add(cpu, "model", model, fallback="allow")
    add(root, "clock", offset="utc")


def _devices(devices: ET.Element, machine: Machine, flavour: Flavour) -> None:
    for each in machine.disks:
        devices.append(disk(each, flavour))
    devices.append(cdrom(machine.iso))
    for nic, bridge in machine.nics:
        devices.append(interface(nic, bridge, flavour))
    add(devices, "serial", type="pty")
    add(devices, "console", type="pty")
    if flavour.is_qemu:
        channel = add(devices, "channel", type="unix")
        add(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    add(devices, "input", type="tablet", bus="usb")
    devices.append(graphics(machine.screen))
    add(add(devices, "video"), "model", type="vga")
    if flavour.is_qemu:
        rng = add(devices, "rng", model="virtio")
        add(rng, "backend", "/dev/urandom", model="random")
        add(add(devices, "memballoon", model="virtio"), "stats", period=10)


def disk(it: Disk, flavour: Flavour) -> ET.Element:
    root = ET.Element("disk", type=_kind(it.source), device="disk")
    add(root, "driver", name="qemu", type=it.source.format, cache="none", discard="unmap")
    _source(root, it.source)
    _backing(root, it.source.backing)
    add(root, "target", dev=f"{flavour.disk_prefix}{device_name(it.device_id)}", bus=flavour.disk_bus)
    add(root, "serial", serial_of(it.uuid))
    add(root, "alias", name=f"{DISK}{it.uuid}")
    return root


def serial_of(disk: str) -> str:
    """A machine sees twenty characters: those by which the tools of tenants know their volumes."""
    return disk.replace("-", "")[:20]


def device_name(number: int) -> str:
    """0 is a, 25 is z, 26 is aa."""
    high, low = divmod(number, len(LETTERS))
    return (LETTERS[high - 1] if high else "") + LETTERS[low]


def _kind(source: Source) -> str:
    return "file" if source.protocol == "file" else "network"


def _source(parent: ET.Element, source: Source) -> None:
    if source.protocol == "file":
        add(parent, "source", file=source.path)
        return
    element = add(parent, "source", protocol=source.protocol, name=source.path)
    add(element, "host", name=source.host, port=source.port or "")
    if source.protocol == "nfs":
        add(element, "identity", user="+0", group="+0")
    if source.initiator:
        add(add(element, "initiator"), "iqn", name=source.initiator)
    if source.user:
        add(add(element, "auth", username=source.user), "secret", type="iscsi", uuid=source.secret)
    if source.size:
        add(add(element, "slices"), "slice", type="storage", offset=source.start, size=source.size)


def _backing(parent: ET.Element, source: Source | None) -> None:
    """All of the chain, to its end: libvirt does not look into files for more."""
    if source is None:
        add(parent, "backingStore")
        return
    element = add(parent, "backingStore", type=_kind(source))
    add(element, "format", type=source.format)
    _source(element, source)
    _backing(element, source.backing)


def cdrom(iso: Source | None) -> ET.Element:
    root = ET.Element("disk", type=_kind(iso) if iso else "file", device="cdrom")
    add(root, "driver", name="qemu", type="raw")
    if iso:
        _source(root, iso)
    add(root, "target", dev="hdc", bus="ide")
    add(root, "readonly")
    add(root, "alias", name=CDROM)
    return root


def interface(nic: NicSpec, bridge: Bridge, flavour: Flavour) -> ET.Element:
    root = ET.Element("interface", type="bridge")
    add(root, "mac", address=nic.mac.lower())
    add(root, "source", bridge=bridge.name)
    add(root, "target", dev=nic.tap)
    add(root, "model", type=flavour.nic_model)
    if bridge.mtu:
        add(root, "mtu", size=bridge.mtu)
    add(root, "alias", name=f"{NIC}{nic.uuid}")
    return root


def graphics(screen: Screen, until: str = "") -> ET.Element:
    """``until`` (a time in UTC) ends what the password is good for."""
    ports = {"port": -1, "autoport": "yes", "listen": screen.listen}
    more = {"passwd": screen.password, "passwdValidTo": until}
    root = ET.Element("graphics", type="vnc")
    for name, value in {**ports, **more}.items():
        if value != "":
            root.set(name, str(value))
    add(root, "listen", type="address", address=screen.listen)
    return root


def shares(spec: MachineSpec, host_mhz: int) -> int:
    """The machine's part of the host, on a scale that every kernel takes; 0 if it has no promise."""
    if not spec.speed_mhz or not host_mhz:
        return 0
    return max(2, min(MOST_SHARES, round(MOST_SHARES * spec.cpus * spec.speed_mhz / host_mhz)))
