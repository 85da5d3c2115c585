"""The virtual router of a network: the provider ``VirtualRouter``. Whoever makes it, moves it or takes it down holds
the lock of the network; what gives it a document holds none.
"""

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError
from django.db.models import F

from apps.appliances.models import Router
from apps.appliances.services import machines
from apps.core.retry import atomically
from apps.hypervisors.base import NicSpec
from apps.hypervisors.errors import Busy
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.machines.models import VirtualMachine
from apps.network.models import Network, PublicAddress
from apps.network.services import addressing, segments

K, S = VirtualMachine.Kind, VirtualMachine.State
BATCH = 1_000


class VirtualRouters:
    """Answers ``network.providers``."""

    def names(self) -> tuple[str, ...]:
        return ("VirtualRouter",)

    def ensure(self, network: Network) -> None:
        ensure_running(_row(network) or _make(network))

    def apply(self, network: Network, document: dict[str, Any]) -> None:
        router = _row(network)
        if router is None or router.vm.host is None:
            raise Busy(f"the router of network {network.name} is being made")
        host = router.vm.host
        holds = driver_for(host).networks.apply(document, within=DEADLINE)
        known = Router.objects.filter(pk=router.pk, network=network, vm__state=S.RUNNING, vm__host=host)
        if not known.exists():  # taken down meanwhile: nothing may stay behind on that host
            driver_for(host).networks.remove(router.network_uuid, within=DEADLINE)
            raise Busy(f"the router of network {network.name} was taken down at this moment")
        Router.objects.filter(pk=router.pk, applied__lt=holds).update(applied=holds)

    def applied(self, network: Network) -> int | None:
        rows = Router.objects.filter(network=network, vm__state=S.RUNNING)
        return rows.values_list("applied", flat=True).first()

    def lagging(self) -> Iterable[int]:
        behind = Router.objects.filter(vm__state=S.RUNNING, applied__lt=F("network__generation"))
        return list(behind.order_by("?").values_list("network", flat=True)[:BATCH])

    def remove(self, network: Network) -> None:
        """Down, its document gone from the host, its row gone."""
        if router := _row(network):
            retire(router)

    def abandon(self, network: Network) -> None:
        """The row stays, of no network: a schedule retires it when its host answers."""
        Router.objects.filter(network=network).update(network=None)


def section(network: int) -> dict[str, Any]:
    """Of the network's document: who its router is."""
    row = Router.objects.select_related("vm").filter(network=network).first()
    if row is None:
        return {}
    cards = {"guest_ip": row.guest_ip or "", "guest_mac": row.guest_mac, "public_mac": row.public_mac}
    return {"uuid": str(row.vm.uuid), **cards}


def ensure_running(router: Router) -> None:
    """What starts knows nothing yet, whatever the one before it knew."""
    if router.vm.state != S.RUNNING:
        Router.objects.filter(pk=router.pk).update(applied=0, checks=[], checks_failed=False)
        machines.bring_up(router.vm, lambda vm, host: cards(router))


def keep_checks(vm: VirtualMachine, checks: list[dict[str, Any]]) -> None:
    failed = any(not check["success"] for check in checks)
    Router.objects.filter(vm=vm).update(checks=checks, checks_failed=failed)


def take_down(router: Router) -> VirtualMachine:
    """It does not run, and its host has nothing of its network."""
    vm = machines.take_down(router.vm)
    if host := machines.host_of(machines.read(vm.pk)):
        driver_for(host).networks.remove(router.network_uuid, within=DEADLINE)
    return vm


def retire(router: Router) -> None:
    _gone(router, take_down(router))


def reboot(router: Router) -> None:
    Router.objects.filter(pk=router.pk).update(applied=0)
    machines.reboot(machines.read(router.vm_id))


def of_machine(vm: VirtualMachine) -> Router | None:
    return Router.objects.select_related("vm__host", "network__offering", "address__range").filter(vm=vm).first()


def _row(network: Network) -> Router | None:
    return Router.objects.select_related("vm__host", "network", "address__range").filter(network=network).first()


def _make(network: Network) -> Router:
    try:
        return _made(network)
    except IntegrityError as error:
        raise Busy(f"the router of network {network.name} is being made by another worker") from error


@atomically
def _made(network: Network) -> Router:
    vm = machines.make(
        kind=K.ROUTER, owner=network.owner, zone=network.zone, offering=network.offering.service_offering
    )
    held = None if _is_gateway(network) else addressing.take(network, by=vm.lock_key)
    return Router.objects.create(
        vm=vm,
        network=network,
        network_uuid=str(network.uuid),
        address=held.row if held else None,
        guest_ip=held.ip if held else network.gateway,
        guest_mac=held.mac if held else addressing.new_mac(),
        public_mac=addressing.new_mac(),
        link_local_ip=link_local(vm),
    )


def _is_gateway(network: Network) -> bool:
    """Of an isolated network with a way out; else it is one of the machines there."""
    return network.guest_type == "Isolated" and bool({"Gateway", "SourceNat"} & network.offering.services.keys())


def link_local(vm: VirtualMachine) -> str:
    return f"169.254.{vm.pk // 250 % 254}.{vm.pk % 250 + 2}"


def cards(router: Router) -> tuple[NicSpec, ...]:
    network = router.network
    if network is None:
        return ()
    card, ip, segment = machines.card(router.vm, 0), router.guest_ip or "", segments.label(network)
    guest = NicSpec(card, router.guest_mac, str(network.uuid), segment, ip, 0)
    held = PublicAddress.all_tenants.filter(network=network, is_source_nat=True).select_related("address__range")
    return (guest, *(_public_card(router, row) for row in held[:1]))


def _public_card(router: Router, row: PublicAddress) -> NicSpec:
    vlan = row.address.range.vlan if row.address else "untagged"
    segment = "" if vlan == "untagged" else f"vlan:{vlan.removeprefix('vlan://')}"
    return NicSpec(machines.card(router.vm, 1), router.public_mac, "public", segment, row.ip, 1)


@atomically
def _gone(router: Router, vm: VirtualMachine) -> None:
    Router.objects.filter(pk=router.pk).update(network=None, address=None)
    if router.address:
        addressing.give_back(router.address)
    machines.remove(vm)
