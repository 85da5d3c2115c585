"""What is said about routers, system machines and elements of providers."""

from collections.abc import Sequence
from typing import Any

from apps.appliances.models import Router
from apps.appliances.services import machines
from apps.core.answers import OwnedResponse
from apps.core.keys import Keys
from apps.core.responses import FULL, Batch, Computed, Field, Response
from apps.infrastructure.commands.responses import text
from apps.network.models import PublicAddress

VERSION, ARCH = "4.23.0", "x86_64"  # of the programs in machines of the system
SYSTEM_TYPES = {"SecondaryStorageVm": "secondarystoragevm", "ConsoleProxy": "consoleproxy"}


def host_state(status: str, resource_state: str) -> str:
    return resource_state if status == "Up" else status


def agent_state(status: str) -> str:
    return "Up" if status == "Up" else "Disconnected"


class MachineResponse(Response):
    """What routers and system machines have in common."""

    id = Field("uuid")
    name = Field("instance_name")
    state = Field()
    created = Field()
    hypervisor = Field()
    zoneid = Field("zone__uuid")
    zonename = Field("zone__name")
    podid = Field("pod__uuid", view=FULL)
    podname = Field("pod__name", view=FULL)
    hostid = Field("host__uuid", view=FULL)
    hostname = Field("host__name", view=FULL)
    hostcontrolstate = Computed(("host__status", "host__resource_state"), host_state, view=FULL)
    templateid = Field("template__uuid")
    templatename = Field("template__name")
    serviceofferingid = Field("offering__uuid")
    serviceofferingname = Field("offering__name")
    dns1 = text("zone__dns1")
    dns2 = text("zone__dns2")
    arch = Computed((), lambda: ARCH, type="string")
    version = Computed((), lambda: VERSION, type="string")
    hasannotations = Computed((), bool, type="boolean")
    linklocalnetmask = Computed((), lambda: "255.255.0.0", view=FULL, type="string")


CARDS = {
    "publicip": "string",
    "publicnetmask": "string",
    "gateway": "string",
    "nic": "list",
}


def cards(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The public side of routers, and both cards as nested answers: two queries for a page."""
    routers = list(Router.objects.filter(vm__among=Keys(keys)).exclude(network=None).select_related("vm", "network"))
    held = PublicAddress.all_tenants.filter(network__in=[r.network_id for r in routers], is_source_nat=True)
    public = {row.network_id: row for row in held.select_related("address__range")}
    found: dict[int, dict[str, Any]] = {key: {"nic": []} for key in keys}
    for router in routers:
        found[router.vm_id] = _public(router, public.get(router.network_id))
    return found


def _public(router: Router, row: PublicAddress | None) -> dict[str, Any]:
    network: Any = router.network
    guest = {
        "id": machines.card(router.vm, 0),
        "networkid": str(network.uuid),
        "networkname": network.name,
        "ipaddress": router.guest_ip,
        "netmask": network.netmask,
        "macaddress": router.guest_mac,
        "traffictype": "Guest",
        "type": network.guest_type,
        "isdefault": row is None,
    }
    if row is None or row.address is None:
        return {"nic": [guest]}
    place = {"gateway": row.address.range.gateway, "netmask": row.address.range.netmask}
    card = {
        "id": machines.card(router.vm, 1),
        "ipaddress": row.ip,
        "macaddress": router.public_mac,
        "traffictype": "Public",
        "isdefault": True,
        **place,
    }
    return {"publicip": row.ip, "publicnetmask": place["netmask"], "gateway": place["gateway"], "nic": [guest, card]}


class RouterResponse(OwnedResponse, MachineResponse):
    wire_name = "router"
    model = "appliances.RouterMachine"
    with_jobs = False

    guestnetworkid = Field("router__network__uuid")
    guestnetworkname = Field("router__network__name")
    guestipaddress = Field("router__guest_ip", type="string")
    guestmacaddress = Field("router__guest_mac")
    guestnetmask = Field("router__network__netmask", type="string")
    networkdomain = Field("router__network__network_domain")
    publicmacaddress = Field("router__public_mac")
    linklocalip = Field("router__link_local_ip", type="string", view=FULL)
    public = Batch(cards, CARDS)
    isredundantrouter = Computed((), bool, type="boolean")
    redundantstate = Computed((), lambda: "UNKNOWN", type="string")
    requiresupgrade = Computed((), bool, type="boolean")
    role = Computed((), lambda: "VIRTUAL_ROUTER", type="string")
    ip6dns1 = text("zone__ip6_dns1")
    ip6dns2 = text("zone__ip6_dns2")
    softwareversion = Computed((), lambda: VERSION, type="string")
    healthchecksfailed = Field("router__checks_failed")
    checks = Batch(lambda keys: {}, {"healthcheckresults": "list"}, help_text="the last checks, if asked for")


class SystemMachineResponse(MachineResponse):
    wire_name = "systemvm"
    model = "appliances.SystemMachine"

    systemvmtype = Computed(("kind",), lambda kind: SYSTEM_TYPES.get(kind), type="string")
    agentstate = Computed(("host__status",), agent_state)
    privateip = Field("system_address__private__ip", type="string")
    privatenetmask = Field("system_address__private__pod__netmask", type="string")
    privatemacaddress = Field("system_address__private_mac")
    publicip = Field("system_address__public__ip", type="string")
    publicnetmask = Field("system_address__public__range__netmask", type="string")
    publicmacaddress = Field("system_address__public_mac")
    publicvlan = Computed(("system_address__public__range__vlan",), lambda vlan: [vlan] if vlan else None, type="list")
    gateway = Field("system_address__public__range__gateway", type="string")
    linklocalip = Field("system_address__link_local_ip", type="string")
    networkdomain = text("zone__network_domain")
    activeviewersessions = Computed(("kind",), lambda kind: 0 if kind == "ConsoleProxy" else None, type="integer")
    isdynamicallyscalable = Computed((), bool, type="boolean")


class ElementResponse(Response):
    model = "appliances.RouterElement"

    id = Field("uuid")
    nspid = Field("provider__uuid")
    enabled = Field()


class RouterElementResponse(ElementResponse):
    wire_name = "virtualrouterelement"


class BalancerElementResponse(ElementResponse):
    wire_name = "internalloadbalancerelement"
    model = "appliances.BalancerElement"
