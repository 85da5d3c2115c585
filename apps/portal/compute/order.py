"""The draft of a machine: what was chosen in the six steps, what it takes of the limits, the call that it becomes."""

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from django.utils.translation import gettext as _

from apps.portal import looks

GIB = 1 << 30
KIND = "machine"  # of the draft
LAUNCHED = "launched"  # of the one that was launched last: to change the choice, or to have one more like it


@dataclass
class Order:
    """Names and sizes stand beside the ids, so that a page need not ask for them again."""

    zoneid: str = ""
    zone: str = ""
    zone_type: str = ""
    source: str = "template"  # or iso
    templateid: str = ""
    template: str = ""
    template_gib: int = 0
    takes_password: bool = False
    hypervisor: str = ""
    offeringid: str = ""
    offering: str = ""
    custom: bool = False  # cores and memory are the customer's choice
    cores: int = 0
    speed: int = 0
    memory: int = 0  # MiB
    offering_gib: int = 0  # of the root disk, where the offering fixes it
    disk_asked: bool = False  # the step was answered, even with none
    diskid: str = ""
    disk: str = ""
    disk_gib: int = 0
    disk_custom: bool = False
    root_gib: int = 0
    networks: list[dict[str, str]] = field(default_factory=list)  # id, name, type, ip; the first is the default
    networks_asked: bool = False
    zone_groups: bool = False  # its shared networks have security groups
    groups: list[dict[str, str]] = field(default_factory=list)  # security groups: id, name; none: the default one
    ssh: bool = False
    ssh_from: str = ""
    name: str = ""
    keypair: str = ""
    group: str = ""
    affinityid: str = ""
    affinity: str = ""
    userdata: str = ""
    start: bool = True
    protect: bool = False

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> "Order":
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})

    def stored(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def root_size(self) -> int:
        """GiB of the root disk, as far as it can be known before."""
        if self.source == "iso":
            return self.disk_gib
        return self.root_gib or self.offering_gib or self.template_gib

    @property
    def data_size(self) -> int:
        return 0 if self.source == "iso" or not self.diskid else self.disk_gib

    def takes(self) -> dict[str, float]:
        """Of the account's totals, in the wire's units."""
        found: dict[str, float] = {"vm": 1}
        if self.offeringid:
            found |= {"cpu": self.cores, "memory": self.memory}
        if self.disk_asked:
            found["volume"] = 2 if self.data_size else 1
            found["primarystorage"] = self.root_size + self.data_size
        return found

    def params(self) -> dict[str, Any]:
        """Of deployVirtualMachine."""
        found: dict[str, Any] = {
            "zoneid": self.zoneid,
            "templateid": self.templateid,
            "serviceofferingid": self.offeringid,
        }
        if self.source == "iso":
            found["hypervisor"] = self.hypervisor
        if self.custom:
            found["details"] = [{"cpuNumber": str(self.cores), "memory": str(self.memory)}]
        if self.diskid:
            found["diskofferingid"] = self.diskid
            if self.disk_custom:
                found["size"] = str(self.disk_gib)
        if self.root_gib and self.source != "iso":
            found["rootdisksize"] = str(self.root_gib)
        found |= self._network_params()
        if self.is_guarded and self.groups:
            found["securitygroupids"] = ",".join(each["id"] for each in self.groups)
        return found | self._names()

    @property
    def is_guarded(self) -> bool:
        """By security groups: not where all its networks are behind routers."""
        return self.zone_groups and (not self.networks or any(n.get("type") == "Shared" for n in self.networks))

    def _network_params(self) -> dict[str, Any]:
        if any(each.get("ip") for each in self.networks[1:]):
            records = [{"networkid": n["id"], **({"ip": n["ip"]} if n.get("ip") else {})} for n in self.networks]
            return {"iptonetworklist": records}
        found: dict[str, Any] = {}
        if self.networks:
            found["networkids"] = ",".join(each["id"] for each in self.networks)
            if self.networks[0].get("ip"):
                found["ipaddress"] = self.networks[0]["ip"]
        return found

    def _names(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in (("name", self.name), ("keypair", self.keypair), ("group", self.group)):
            if value:
                found[name] = value
        if self.affinityid:
            found["affinitygroupids"] = self.affinityid
        if self.userdata:
            found["userdata"] = base64.b64encode(self.userdata.encode()).decode()
        if not self.start:
            found["startvm"] = "false"
        return found

    # in words

    @property
    def size_said(self) -> str:
        if not self.offering:
            return ""
        own = f" ({looks.cores(self.cores, None)}, {looks.mib(self.memory)})" if self.custom else ""
        return f"{self.offering}{own}"

    @property
    def disks_said(self) -> str:
        if not self.disk_asked:
            return ""
        root = _("%(size)s root") % {"size": looks.gib(self.root_size)} if self.root_size else _("root")
        return f"{root}, {self.disk_said}" if self.data_size else root

    @property
    def disk_said(self) -> str:
        if not self.diskid:
            return _("none") if self.disk_asked else ""
        return f"{looks.gib(self.disk_gib)}, {self.disk}" if self.disk_gib else self.disk

    @property
    def networks_said(self) -> str:
        if not self.networks:
            return _("one of its own, made now") if self.networks_asked else ""
        return ", ".join(f"{n['name']} {n['ip']}".strip() if n.get("ip") else n["name"] for n in self.networks)

    @property
    def groups_said(self) -> str:
        return ", ".join(each["name"] for each in self.groups) or _("default")

    def summary(self) -> list[tuple[str, str]]:
        guarded = self.is_guarded and self.networks_asked
        return [
            (_("Zone"), self.zone),
            (_("Template"), self.template),
            (_("Size"), self.size_said),
            (_("Disks"), self.disks_said),
            (_("Network"), self.networks_said),
            *([(_("Security groups"), self.groups_said)] if guarded else []),
            (_("Name"), self.name),
        ]


@dataclass
class Network:
    """A row of the step about networks."""

    id: str
    name: str
    kind: str
    cidr: str
    way_out: str
    on: bool = False
    ip: str = ""
    default: bool = False
    type: str = ""
