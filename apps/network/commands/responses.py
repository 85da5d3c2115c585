"""What is said about networks and addresses."""

from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Any

from apps.accounts.models import Account
from apps.core.answers import OwnedResponse, TagResponse
from apps.core.responses import FULL, Batch, Computed, Field, Many, Response
from apps.infrastructure.commands.responses import text
from apps.network import ports
from apps.offerings.commands.responses import services_of

PROJECT = Account.Type.PROJECT


def shown_owner(name: str, acl_type: str, in_project: bool) -> str:
    return name if acl_type == "Account" and not in_project else None  # type: ignore[return-value]


def first(whose: str | None, owner: str) -> str:
    return whose or owner


class NetworkResponse(OwnedResponse):
    wire_name = "network"
    model = "network.Network"
    with_jobs = False

    account = Computed(("owner__name", "acl_type", "in_project"), shown_owner)
    domainid = Computed(("domain__uuid", "owner__domain__uuid"), first, type="string")
    domain = Computed(("domain__name", "owner__domain__name"), first)
    domainpath = Computed(("domain__wire_path", "owner__domain__wire_path"), first)
    id = Field("uuid")
    name = Field()
    displaytext = Field("display_text")
    state = Field()
    type = Field("guest_type")
    traffictype = Field("traffic_type")
    acltype = Field("acl_type")
    created = Field()
    zoneid = Field("zone__uuid")
    zonename = Field("zone__name")
    physicalnetworkid = Field("physical_network__uuid", view=FULL)
    networkofferingid = Field("offering__uuid")
    networkofferingname = Field("offering__name")
    networkofferingdisplaytext = Field("offering__display_text")
    networkofferingavailability = Field("offering__availability")
    networkofferingconservemode = Field("offering__conserve_mode")
    egressdefaultpolicy = Field("offering__egress_default_allow")
    specifyvlan = Field("offering__specify_vlan")
    ispersistent = Field("offering__is_persistent")
    service = Computed(("offering__services", "offering__capabilities"), services_of, type="list", few=True)
    specifyipranges = Field("specify_ip_ranges")
    cidr = text("cidr")
    gateway = Field(type="string")
    netmask = Field(type="string")
    networkdomain = text("network_domain")
    dns1 = Computed(("dns1", "zone__dns1"), lambda own, zone: own or zone or None, type="string")
    dns2 = Computed(("dns2", "zone__dns2"), lambda own, zone: own or zone or None, type="string")
    vlan = text("vlan", view=FULL)
    broadcasturi = Computed(("vlan",), lambda tag: f"vlan://{tag}" if tag else None, view=FULL, type="string")
    broadcastdomaintype = Field("broadcast_type")
    related = Field("uuid")
    restartrequired = Field("restart_required")
    redundantrouter = Field("is_redundant")
    subdomainaccess = Field("subdomain_access")
    displaynetwork = Field("is_displayed", view=FULL)
    canusefordeploy = Computed((), lambda: True, type="boolean")
    issystem = Computed((), bool, type="boolean")
    isdefault = Computed((), bool, type="boolean")
    strechedl2subnet = Computed((), bool, type="boolean")
    hasannotations = Computed((), bool, type="boolean")
    keepmacaddressonpublicnic = Computed((), lambda: True, type="boolean")
    supportsvmautoscaling = Computed((), bool, type="boolean")
    privatemtu = Computed((), lambda: 1500, type="integer")
    publicmtu = Computed((), lambda: 1500, type="integer")
    receivedbytes = Computed((), int, type="long")
    sentbytes = Computed((), int, type="long")
    tags = Many(TagResponse, "row_id", by_kind=True)


def if_account(name: str | None, kind: int | None) -> str | None:
    return None if kind == PROJECT else name


def if_project(name: str | None, kind: int | None) -> str | None:
    return name if kind == PROJECT else None


class VlanIpRangeResponse(Response):
    wire_name = "vlaniprange"
    model = "network.IpRange"

    id = Field("uuid")
    zoneid = Field("zone__uuid")
    vlan = Computed(("vlan",), lambda tag: tag if tag.startswith("vlan://") else f"vlan://{tag}", type="string")
    gateway = Field(type="string")
    netmask = Field(type="string")
    cidr = Computed(("gateway", "netmask"), lambda gateway, netmask: _cidr(gateway, netmask), type="string")
    startip = Field("start_ip", type="string")
    endip = Field("end_ip", type="string")
    forvirtualnetwork = Field("for_virtual_network")
    forsystemvms = Field("for_system_vms")
    networkid = Field("network__uuid")
    physicalnetworkid = Field("physical_network__uuid")
    podid = Field("pod__uuid")
    podname = Field("pod__name")
    account = Computed(("owner__name", "owner__type"), if_account)
    project = Computed(("owner__name", "owner__type"), if_project)
    projectid = Computed(("owner__uuid", "owner__type"), if_project)
    domainid = Computed(("owner__domain__uuid", "domain__uuid"), lambda a, b: a or b, type="string")
    domain = Computed(("owner__domain__name", "domain__name"), lambda a, b: a or b, type="string")
    domainpath = Computed(("owner__domain__wire_path", "domain__wire_path"), lambda a, b: a or b, type="string")


def _cidr(gateway: str, netmask: str) -> str:
    return str(IPv4Network(f"{gateway}/{netmask}", strict=False))


class VlanResponse(VlanIpRangeResponse):
    """The same row under the name that creating one answers with."""

    wire_name = "vlan"


FACTS = {
    "isstaticnat": "boolean",
    "hasrules": "boolean",
    "virtualmachineid": "string",
    "virtualmachinename": "string",
    "virtualmachinedisplayname": "string",
    "virtualmachinetype": "string",
    "vmipaddress": "string",
}


def facts(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {key: {"isstaticnat": False, "hasrules": False} for key in keys}
    for answer in ports.address_facts.all():
        for key, values in answer(keys).items():
            found[key] |= values
    return found


class AddressResponse(OwnedResponse):
    wire_name = "publicipaddress"
    model = "network.PublicAddress"
    with_jobs = False

    id = Field("uuid")
    ipaddress = Field("ip", type="string")
    state = Field()
    allocated = Field()
    zoneid = Field("zone__uuid")
    zonename = Field("zone__name")
    issourcenat = Field("is_source_nat")
    issystem = Field("is_system")
    fordisplay = Field("is_displayed", view=FULL)
    associatednetworkid = Field("network__uuid")
    associatednetworkname = Field("network__name")
    networkid = Field("network__uuid")
    networkname = Field("network__name")
    physicalnetworkid = Field("address__range__physical_network__uuid", view=FULL)
    vlanid = Field("address__range__uuid")
    vlanname = Field("address__range__vlan", view=FULL)
    forvirtualnetwork = Field("address__range__for_virtual_network")
    forsystemvms = Field("address__range__for_system_vms", view=FULL)
    isportable = Computed((), bool, type="boolean")
    hasannotations = Computed((), bool, type="boolean")
    facts = Batch(facts, FACTS)
    tags = Many(TagResponse, "row_id", by_kind=True)


class PoolAddressResponse(Response):
    """An address of a range that no account holds, as far as it has the same fields."""

    wire_name = "publicipaddress"
    model = "network.RangeAddress"

    id = Field("uuid")
    ipaddress = Field("ip", type="string")
    state = Computed(("taken_by",), lambda taken_by: "Allocated" if taken_by else "Free", type="string")
    zoneid = Field("range__zone__uuid")
    zonename = Field("range__zone__name")
    issourcenat = Computed((), bool, type="boolean")
    isstaticnat = Computed((), bool, type="boolean")
    issystem = Computed((), bool, type="boolean")
    isportable = Computed((), bool, type="boolean")
    hasannotations = Computed((), bool, type="boolean")
    hasrules = Computed((), bool, type="boolean")
    networkid = Field("range__network__uuid")
    networkname = Field("range__network__name")
    physicalnetworkid = Field("range__physical_network__uuid", view=FULL)
    vlanid = Field("range__uuid")
    vlanname = Field("range__vlan", view=FULL)
    forvirtualnetwork = Field("range__for_virtual_network")
    forsystemvms = Field("range__for_system_vms", view=FULL)
    tags = Computed((), list, type="list")


class AcquiredAddressResponse(AddressResponse):
    """The same row under the name that acquiring one answers with."""

    wire_name = "ipaddress"
