"""A zone of KVM on the hosts that `./portal lab up` made: by calls of commands, as an operator's script would make it.

Every step looks first whether it was done, so a start that was interrupted is gone on with at the next one.
"""

import ipaddress
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

PLACE = Path("/var/tmp/lab-lab")  # noqa: S108 - where `./portal lab up` puts it
GATEWAY = "198.51.100.1"
CARDS = {"Guest": "eth2", "Public": "eth1", "Management": "eth0"}
PATIENCE = 120.0  # seconds for the template


class Root(Protocol):
    """The administrator: by the API or in this process."""

    def call(self, command: str, /, **params: Any) -> dict[str, Any]: ...
    def list(self, command: str, key: str, /, **params: Any) -> list[dict[str, Any]]: ...


class NoLab(Exception):
    """Why there is none to start on."""


@dataclass(frozen=True)
class Lab:
    folder: Path
    management: ipaddress.IPv4Network
    ssh_port: int
    password: str

    @classmethod
    def read(cls, folder: Path) -> "Lab":
        try:
            said = json.loads((folder / "lab.json").read_text())
            network = ipaddress.IPv4Network(said["management"])
            return cls(folder, network, int(said["ssh"]["port"]), str(said["ssh"]["password"]))
        except (OSError, ValueError, LookupError):
            raise NoLab(f"there is no lab in {folder}: `./portal lab up --hosts 2` makes one (as root)") from None

    @property
    def address(self) -> str:
        """Of this machine, as the hosts know it."""
        return str(self.management[1])

    @property
    def hosts(self) -> list[str]:
        """Addresses of those that were made for it."""
        names = sorted(path.parent.name for path in self.folder.glob("h*/uuid"))
        return [str(self.management[10 + int(name.removeprefix("h"))]) for name in names]

    @property
    def image(self) -> Path:
        return self.folder / "srv" / "source" / "tiny.qcow2"


def network(root: Root) -> tuple[str, Mapping[str, str]]:
    """A zone with what hosts are added to: its id, and their place."""
    given = {"networktype": "Advanced", "dns1": GATEWAY, "internaldns1": GATEWAY, "guestcidraddress": "10.1.1.0/24"}
    zone = _ensure(root, "listZones", "createZone", "zone", {"name": "lab"}, **given)["id"]
    where = {"zoneid": zone}
    look = {"name": "lab network", **where}
    net = _ensure(
        root, "listPhysicalNetworks", "createPhysicalNetwork", "physicalnetwork", look, isolationmethods="VXLAN"
    )
    _traffic(root, net["id"])
    _providers(root, net["id"])
    if net.get("state") != "Enabled" or not net.get("vlan"):
        root.call("updatePhysicalNetwork", id=net["id"], state="Enabled", vlan="2000-2099")
    if not root.list("listVlanIpRanges", "vlaniprange", zoneid=zone):
        span = {"gateway": GATEWAY, "netmask": "255.255.255.0", "startip": "198.51.100.100", "endip": "198.51.100.199"}
        root.call("createVlanIpRange", zoneid=zone, vlan="untagged", forvirtualnetwork="true", **span)
    span = {"gateway": "10.98.1.1", "netmask": "255.255.255.0", "startip": "10.98.1.100", "endip": "10.98.1.150"}
    pod = _ensure(root, "listPods", "createPod", "pod", {"name": "lab pod", **where}, **span)["id"]
    kind = {"clustertype": "CloudManaged", "hypervisor": "KVM"}
    found = root.list("listClusters", "cluster", name="kvm", zoneid=zone)
    cluster = (found or root.call("addCluster", clustername="kvm", podid=pod, **where, **kind)["cluster"])[0]["id"]
    return zone, {"zoneid": zone, "podid": pod, "clusterid": cluster, "hypervisor": "KVM"}


def _ensure(root: Root, listing: str, creating: str, key: str, look: dict[str, Any], **params: Any) -> dict[str, Any]:
    if found := root.list(listing, key, **look):
        return found[0]
    made = root.call(creating, **look | params)[key]
    return dict(made[0] if isinstance(made, list) else made)


def _traffic(root: Root, net: str) -> None:
    there = {each["traffictype"] for each in root.list("listTrafficTypes", "traffictype", physicalnetworkid=net)}
    for kind, card in CARDS.items():
        if kind not in there:
            root.call("addTrafficType", physicalnetworkid=net, traffictype=kind, kvmnetworklabel=card)


def _providers(root: Root, net: str) -> None:
    key = "networkserviceprovider"
    for each in root.list("listNetworkServiceProviders", key, physicalnetworkid=net, name="VirtualRouter"):
        if each["state"] != "Enabled":
            for element in root.list("listVirtualRouterElements", "virtualrouterelement", nspid=each["id"]):
                root.call("configureVirtualRouterElement", id=element["id"], enabled="true")
            root.call("updateNetworkServiceProvider", id=each["id"], state="Enabled")


def storage(root: Root, place: Mapping[str, str], folder: Path, sub: str = "") -> None:
    """``folder`` has the hosts' /srv; below it primary and secondary storage, or a part of both."""
    zone, secondary = place["zoneid"], folder / "srv" / "secondary" / sub
    for each in (secondary, folder / "srv" / "primary" / sub):
        each.mkdir(parents=True, exist_ok=True)
    look = {"name": "lab images", "zoneid": zone}
    _ensure(root, "listImageStores", "addImageStore", "imagestore", look, provider="NFS", url=f"file://{secondary}")
    url = f"sharedmountpoint://localhost{Path('/srv/primary') / sub}"
    if not root.list("listStoragePools", "storagepool", name="lab disks"):
        root.call("createStoragePool", name="lab disks", url=url, scope="CLUSTER", **place)


def template(root: Root, zone: str, image: Path) -> str:
    """Id of one that is ready. The folder of the image is one that may be read: see ``allow``."""
    rows = root.list("listTemplates", "template", templatefilter="all", name="tiny", zoneid=zone)
    if not rows:
        os_type = root.list("listOsTypes", "ostype", description="Other Linux (64-bit)")[0]["id"]
        what = {"name": "tiny", "displaytext": "A small Linux", "format": "QCOW2", "hypervisor": "KVM"}
        flags = {"ispublic": "true", "isfeatured": "true", "passwordenabled": "true", "sshkeyenabled": "true"}
        made = root.call("registerTemplate", ostypeid=os_type, url=f"file://{image}", zoneid=zone, **what, **flags)
        rows = made["template"]
    end = time.monotonic() + PATIENCE
    while not rows[0]["isready"]:
        if time.monotonic() > end:
            raise NoLab(f"the template does not become ready: {rows[0].get('status')}")
        time.sleep(0.2)
        rows = root.list("listTemplates", "template", templatefilter="all", id=rows[0]["id"])
    return str(rows[0]["id"])


def allow(root: Root, image: Path) -> None:
    root.call("updateConfiguration", name="secstorage.allowed.folders", value=str(image.parent))


def offering(root: Root) -> str:
    size = {"displaytext": "1 CPU, 96 MB", "cpunumber": 1, "cpuspeed": 200, "memory": 96}
    look = {"name": "Tiny"}
    made = _ensure(root, "listServiceOfferings", "createServiceOffering", "serviceoffering", look, **size)
    return str(made["id"])


def build(root: Root, lab: Lab) -> None:
    """All of it, with the hosts installed by SSH."""
    allow(root, lab.image)
    zone, place = network(root)
    known = {row["name"] for row in root.list("listHosts", "host", zoneid=zone)}
    for address in lab.hosts:
        if address not in known:
            root.call("addHost", url=f"http://{address}", username="root", password=lab.password, **place)
    storage(root, place, lab.folder)
    template(root, zone, lab.image)
    offering(root)
    root.call("updateZone", id=zone, allocationstate="Enabled")


def settle_environment(lab: Lab) -> None:
    """What installing hosts by SSH needs to know."""
    os.environ["KVM_SSH_PORT"] = str(lab.ssh_port)
