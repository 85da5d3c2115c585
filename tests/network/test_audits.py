"""Each book is wrong once, and the audit says so; a cloud that works has no finding."""

import pytest
from django.utils import timezone

from apps.core import audit
from apps.infrastructure.models import PodAddress
from apps.machines.models import Nic, VirtualMachine
from apps.network.models import IpRange, Network, PublicAddress, RangeAddress, Segment
from tests import centre
from tests.network import scenes
from tests.network.scenes import routers

NOW = timezone.now()
MACHINE = "machines.virtualmachine:99"


@pytest.fixture
def w(db, make, monkeypatch):
    """A network that is up with a machine, an extra address, and a shared network with a router."""
    from apps.network.services import public
    from tests.crash import work_off

    found = scenes.up(scenes.world(make, monkeypatch))
    found.extra = public.assigned(public.acquire(owner=found.alice, zone=found.centre.zone, network=found.network))
    found.shared = centre.shared(found.centre, make.account("x"))
    found.guest = centre.machine(make, found.alice, found.shared)
    scenes.start(found.guest, found.shared)
    work_off()
    assert scenes.nothing_wrong()
    return found


def said():
    return [line for subject, lines in audit.findings().items() if "limits" not in subject for line in lines]


def remove(model, **which):
    model.including_removed.filter(**which).kernel_update(removed=NOW, alive=None)


def change(model, which, **values):
    """What no code of ours does."""
    rows = getattr(model, "including_removed", model._base_manager).filter(**which)
    getattr(rows, "kernel_update", rows.update)(**values)


def net(w, **values):
    change(Network, {"pk": w.network.pk}, **values)


def extra(w, **values):
    change(PublicAddress, {"pk": w.extra.pk}, **values)


def pool(ip, taken_by):
    change(RangeAddress, {"ip": ip}, taken_by=taken_by)


def card(w, **values):
    change(Nic, {"pk": w.card.pk}, **values)


GONE = "network.publicaddress:99"
BROKEN = {
    "segment 100 is taken by a network that was deleted": lambda w: net(w, removed=NOW),
    "segment 100 is taken by a network that is down": lambda w: net(w, state="Allocated"),
    "segment 100 is taken by a network on VLAN 7": lambda w: net(w, vlan="7"),
    "network net is up and has no segment": lambda w: net(w, vlan=""),
    "address 192.168.0.3 is allocated and has no row in a range": lambda w: extra(w, address=None),
    "address 192.168.0.3 has the row of another address": lambda w: extra(w, ip="192.168.0.3", address=w.free),
    "address 192.168.0.3 was released and still holds its row": lambda w: extra(w, removed=NOW),
    "address 192.168.0.9 is taken by no allocated address": lambda w: pool("192.168.0.9", GONE),
    "address 192.168.0.3 is allocated and its row is marked as free": lambda w: pool("192.168.0.3", ""),
    "address 192.168.0.3 is of a network that was deleted": lambda w: net(w, removed=NOW),
    "address 192.168.0.2 is not the only source NAT address of its network": lambda w: extra(w, is_source_nat=True),
    "the range from 10.8.0.10 is of a network that was deleted": lambda w: remove(Network, pk=w.shared.pk),
    "address 10.8.0.12 is of a range that was deleted": lambda w: remove(IpRange, network=w.shared),
    "card {mac} has no address": lambda w: card(w, address=None),
    "card {mac} is in a network that was deleted": lambda w: remove(Network, pk=w.shared.pk),
    "card {mac} has the address of another network, or another one than it says": lambda w: card(w, ip="10.8.0.99"),
    "card {mac} is of an instance that is gone": lambda w: remove(VirtualMachine, pk=w.guest.pk),
    "address 10.8.0.10 is taken by a machine that has no card there": lambda w: card(w, address=None),
    "router {router} is of a network that was deleted": lambda w: net(w, removed=NOW),
    "router {router} has a later document than its network": lambda w: net(w, generation=1),
    "router {router} is gone and still the router of a network": lambda w: remove(VirtualMachine, pk=w.router.pk),
    "router r-stray is of no network and never was": lambda w: stray(w),
    f"address 172.16.0.2 is held by {MACHINE}, which does not have it": lambda w: change(
        PodAddress, {"ip": "172.16.0.2"}, taken_by=MACHINE
    ),
}


def stray(w):
    vm = w.make.vm(w.alice, kind="DomainRouter", is_counted=False)
    type(vm).including_removed.filter(pk=vm.pk).update(instance_name="r-stray")


@pytest.mark.parametrize("finding", BROKEN)
def test_a_broken_book_is_found(w, make, finding):
    w.make, w.card, w.router = make, w.guest.nics.get(), routers().get(router__network=w.network)
    w.free = RangeAddress.objects.get(ip="192.168.0.9")

    BROKEN[finding](w)

    assert finding.format(mac=w.card.mac, router=w.router.instance_name) in said()
    assert Segment.objects.count() == 6
