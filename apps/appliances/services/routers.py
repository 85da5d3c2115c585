"""The virtual router of a network: the provider ``VirtualRouter``."""

from typing import Any
from uuid import uuid5

from django.db import IntegrityError, transaction

from apps.appliances.models import Router
from apps.appliances.services import machines
from apps.core.retry import atomically
from apps.hypervisors.base import NicSpec
from apps.hypervisors.errors import Busy
from apps.infrastructure.drivers import DEADLINE, driver_for
from apps.machines.models import VirtualMachine
from apps.network.models import Network, PublicAddress
from apps.network.services import addressing

K, S = VirtualMachine.Kind, VirtualMachine.State


class VirtualRouters:
    """Answers ``network.providers``."""

    def names(self) -> tuple[str, ...]:
        return ("VirtualRouter",)

    def ensure(self, network: Network) -> None:
        router = _row(network) or _make(network)
        if router.vm.state != S.RUNNING:
            machines.bring_up(router.vm, _nics(router, network))
            Router.objects.filter(pk=router.pk).update(applied=0)  # a fresh one knows nothing yet

    def apply(self, network: Network, document: dict[str, Any]) -> None:
        self.ensure(network)
        router = _row(network)
        if router is None or router.vm.host is None:
            raise Busy(f"the router of network {network.name} is being made")
        holds = driver_for(router.vm.host).networks.apply(document, within=DEADLINE)
        Router.objects.filter(pk=router.pk, applied__lt=holds).update(applied=holds)

    def applied(self, network: Network) -> int:
        rows = Router.objects.filter(network=network, vm__state=S.RUNNING)
        return rows.values_list("applied", flat=True).first() or 0

    def remove(self, network: Network) -> None:
        """Down, its document gone from the host, its row gone."""
        router = _row(network)
        if router is None:
            return
        host = router.vm.host
        vm = machines.take_down(router.vm)
        if host:
            driver_for(host).networks.remove(str(network.uuid), within=DEADLINE)
        _gone(router, vm)


def _row(network: Network) -> Router | None:
    return Router.objects.select_related("vm__host").filter(network=network).first()


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
    with transaction.atomic():
        return Router.objects.create(
            vm=vm,
            network=network,
            guest_ip=network.gateway,
            guest_mac=addressing.new_mac(),
            public_mac=addressing.new_mac(),
            link_local_ip=f"169.254.{vm.pk // 250 % 254}.{vm.pk % 250 + 2}",
        )


def _nics(router: Router, network: Network) -> tuple[NicSpec, ...]:
    public = PublicAddress.all_tenants.filter(network=network, is_source_nat=True).first()
    cards = [NicSpec(_card(router, 0), router.guest_mac, str(network.uuid), network.vlan, router.guest_ip or "", 0)]
    if public:
        cards.append(NicSpec(_card(router, 1), router.public_mac, "public", "", public.ip, 1))
    return tuple(cards)


def _card(router: Router, number: int) -> str:
    """Cards of routers have no rows; their ids follow from the machine's."""
    return str(uuid5(router.vm.uuid, str(number)))


@atomically
def _gone(router: Router, vm: VirtualMachine) -> None:
    Router.objects.filter(pk=router.pk).update(network=None)
    machines.remove(vm)
