from collections.abc import Mapping
from typing import Any

from apps.compute.commands.responses import InstanceResponse
from apps.compute.services import instances, networking, orders, passwords, rehearsal
from apps.compute.services.networking import NicOrder
from apps.compute.services.slots import DiskOrder
from apps.core.callers import ROOT, USER, Access
from apps.core.commands import CreateCommand, command
from apps.core.errors import InvalidParameter
from apps.core.refs import Owner, Ref
from apps.core.wire import Bad, Bool, List, Long, Map, Name, Str
from apps.infrastructure.models import Cluster, Host, Pod
from apps.machines.models import VirtualMachine
from apps.machines.services.placement.planners import NAMES as PLANNERS
from apps.storage.services import sizes as disk_sizes

NETWORK = Ref("network.Network", Access.USE)
DISK = Ref("offerings.DiskOffering", Access.USE)
SIZE = Long(min_value=1)
KEYBOARDS = ("us", "uk", "jp", "sc", "de", "de-ch", "es", "fi", "fr", "fr-be", "fr-ch", "is", "it", "nl-be", "no", "pt")


@command("deployVirtualMachine", roles=USER, event="VM.CREATE", response=InstanceResponse, locks=("row",))
class DeployVirtualMachine(CreateCommand):
    """Creates an instance and, unless told otherwise, starts it."""

    serviceofferingid = Ref("offerings.ServiceOffering", Access.USE, source="offering", required=True, help_text="size")
    zoneid = Ref("infrastructure.Zone", Access.USE, source="zone", required=True, help_text="the zone")
    templateid = Ref("images.Template", Access.USE, source="template", help_text="template or bootable ISO; needed")
    name = Name(help_text="host name; made up if absent")
    displayname = Str(source="display_name", help_text="what people call it; the name if absent")
    hypervisor = Str(length=32, help_text="needed for an ISO, else that of the template")
    startvm = Bool(default=True, source="is_started", help_text="start it; true if absent")
    copyimagetags = Bool(source="copies_tags", help_text="tag it as its template is")
    displayvm = Bool(source="is_displayed", allowed=ROOT, help_text="shown to its owner; true if absent")
    details = Map(style="merged", source="given_details", help_text="free details; cpuNumber, cpuSpeed and memory too")
    userdata = Str(
        source="user_data", secret=True, length=1048576, help_text="base64; the instance reads it at its first start"
    )
    password = Str(secret=True, help_text="for templates that take one; made up if absent")
    keypair = Str(source="key_name", help_text="name of an SSH key pair")
    keypairs = List(source="key_names", help_text="names of SSH key pairs")
    group = Str(help_text="instance group; made if there is none of the name")
    keyboard = Str(choices=KEYBOARDS, help_text="of the console")
    dynamicscalingenabled = Bool(source="is_dynamic", help_text="may be given more while it runs")
    diskofferingid = Ref(
        "offerings.DiskOffering", Access.USE, source="disk_offering", help_text="a data disk; of an ISO the root disk"
    )
    size = Long(source="disk_size", min_value=1, help_text="GiB of that disk, where the offering leaves it open")
    rootdisksize = Long(
        source="root_size", min_value=1, help_text="GiB of the root disk; that of the template if absent"
    )
    datadisksdetails = Map(
        keys=("diskofferingid", "size", "deviceid"), source="disk_records", help_text="more data disks, one an entry"
    )
    networkids = List(of=NETWORK, source="networks", help_text="the first is the default; not with iptonetworklist")
    iptonetworklist = Map(keys=("networkid", "ip", "mac"), source="records", help_text="networks with addresses")
    ipaddress = Str(source="ip", help_text="address in the default network")
    macaddress = Str(source="mac", help_text="of the card in the default network")
    affinitygroupids = List(of=Ref("compute.AffinityGroup", Access.USE), source="affinity_groups", help_text="groups")
    affinitygroupnames = List(source="affinity_names", help_text="groups by name, instead")
    securitygroupids = List(
        of=Ref("firewall.SecurityGroup", Access.USE), source="security_groups", help_text="the default one if absent"
    )
    securitygroupnames = List(source="security_names", help_text="groups by name, instead")
    hostid = Ref("infrastructure.Host", Access.USE, source="host", allowed=ROOT, help_text="start it there")
    clusterid = Ref("infrastructure.Cluster", Access.USE, source="cluster", allowed=ROOT, help_text="start it there")
    podid = Ref("infrastructure.Pod", Access.USE, source="pod", allowed=ROOT, help_text="start it there")
    deploymentplanner = Str(source="planner", choices=PLANNERS, allowed=ROOT, help_text="how its place is looked for")
    dryrun = Bool(default=False, source="is_rehearsal", help_text="make nothing; tell where it would run, and why")
    owner = Owner()

    def create(self, is_rehearsal: bool, **values: Any) -> VirtualMachine | None:
        wish, order = self._order(values)
        if is_rehearsal:
            rehearsal.plan(order, wish)  # what is wrong with the order is said at once
            return None
        vm = instances.allocate(order)
        wish.check(vm)
        return vm

    def run(self, row: VirtualMachine | None = None, is_started: bool = True, **values: Any) -> Any:
        if row is None:
            values.pop("is_rehearsal")
            wish, order = self._order(values)
            return rehearsal.answer(order, wish, self.caller.is_root)
        wish = _wish(values)
        return instances.start(row, wish, is_fresh=True) if is_started else row

    def failed(self, row: VirtualMachine) -> None:
        """After the flow has undone everything, or where it never began."""
        instances.fail(row)

    def secrets(self, row: VirtualMachine) -> dict[str, str]:
        return passwords.told(row) if row.tells_password else {}

    def _order(self, values: dict[str, Any]) -> tuple[orders.Wish, orders.Order]:
        values.pop("is_started", None)
        wish, names = _wish(values), [*values.pop("key_names", ()), values.pop("key_name", "")]
        addresses = [self._address(record) for record in values.pop("records", ())]
        data = [self._disk(record) for record in values.pop("disk_records", ())]
        by = {"by_root": self.caller.is_root, "creator": self.caller.user}
        by["is_for_another"] = values["owner"].pk != self.caller.account.pk
        return wish, orders.checked(**by, **values, addresses=addresses, data_disks=data, key_names=names)

    def _disk(self, record: Mapping[str, str]) -> DiskOrder:
        try:
            offering = DISK.parse(record.get("diskofferingid", ""), self.caller)
            size = SIZE.parse(record["size"], self.caller) if "size" in record else None
            slot = SIZE.parse(record["deviceid"], self.caller) if "deviceid" in record else None
        except Bad:
            raise InvalidParameter("datadisksdetails: an entry names a disk offering, and numbers") from None
        return DiskOrder(disk_sizes.ordered_size(offering, size), offering, slot)

    def _address(self, record: Mapping[str, str]) -> NicOrder:
        try:
            network = NETWORK.parse(record.get("networkid", ""), self.caller)
        except Bad:
            raise InvalidParameter(f"iptonetworklist: there is no network {record.get('networkid', '')}") from None
        ip = networking.address(record.get("ip"), "iptonetworklist")
        return NicOrder(network, ip, networking.mac_address(record.get("mac"), "iptonetworklist"))


def _wish(values: dict[str, Any]) -> orders.Wish:
    host: Host | None = values.pop("host", None)
    cluster: Cluster | None = values.pop("cluster", None)
    pod: Pod | None = values.pop("pod", None)
    return orders.Wish(host, cluster, pod, values.pop("planner", ""))
