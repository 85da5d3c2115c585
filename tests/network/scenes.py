"""What happens to a network, as scenes that can be played again and again: see tests/crash.py."""

from dataclasses import dataclass, field
from types import SimpleNamespace

from apps.core import audit
from apps.core.ownership import owned_models
from apps.hypervisors import fake
from apps.infrastructure.models import Host
from apps.jobs.flows import Flow, Step, begin
from apps.machines.models import Reservation, VirtualMachine
from apps.network.flows.implement import join_implemented
from apps.network.models import Network, PublicAddress, Segment
from tests import centre

S = Network.State


@dataclass
class Wait:
    """A flow that starts a machine, as far as its networks are concerned."""

    network_id: int
    vm_id: int = 0
    children: dict[str, int] = field(default_factory=dict)


def connect(ctx):
    join_implemented(ctx.children, ctx.network_id)


def started(ctx):
    VirtualMachine.all_tenants.filter(pk=ctx.vm_id).kernel_update(state="Running")


def failed(ctx):
    VirtualMachine.all_tenants.filter(pk=ctx.vm_id).kernel_update(state="Stopped")


STARTING = Flow("test.starting", Wait, (Step(connect, tries=3),), started, failed)


def start(vm, network):
    """Say that the machine starts, and begin."""
    centre.put(vm, "Starting")
    return begin(STARTING, Wait(network_id=network.pk, vm_id=vm.pk))


def world(make, monkeypatch, *faults, **how):
    """A data centre, and alice with a network and a machine that is stopped. ``faults`` are for ``Cloud.fail``."""
    cloud = fake.Cloud()
    monkeypatch.setattr(fake, "CLOUD", cloud)
    found = centre.centre(make, **how)
    alice = make.account()
    network = centre.isolated(found, alice)
    vm = centre.machine(make, alice, network)
    for call, error, when in faults:
        cloud.fail(call, error, **when)
    return SimpleNamespace(cloud=cloud, centre=found, alice=alice, network=network, vm=vm)


def up(w):
    """The network is implemented and its machine runs."""
    from tests.crash import work_off

    start(w.vm, w.network)
    work_off()
    w.network.refresh_from_db()
    w.vm.refresh_from_db()
    assert (w.network.state, w.vm.state) == ("Implemented", "Running")
    w.cloud.calls.clear()
    return w


def routers():
    return VirtualMachine.all_tenants.filter(kind="DomainRouter")


def check_network(w, state):
    """The rows, the books and the hosts say the same."""
    network = Network.including_removed.get(pk=w.network.pk)
    assert network.state == state
    up = state == S.IMPLEMENTED
    assert [router.state for router in routers()] == (["Running"] if up else [])
    held = {str(router.uuid): {router.host.name} for router in routers()}
    assert {vm: hosts for vm, hosts in w.cloud.running.items() if hosts} == held
    documents = {uuid: set(hosts) for uuid, hosts in w.cloud.routers.items() if hosts}
    assert documents == ({str(network.uuid): next(iter(held.values()))} if up else {})
    assert Reservation.objects.count() == len(held)
    assert sum(Host.all_tenants.values_list("memory_mib_used", flat=True)) == 256 * len(held)
    assert Segment.objects.exclude(network=None).count() == (1 if up else 0)
    assert nothing_wrong()
    if up:
        matches(w, network)


def matches(w, network):
    """The device has the document of now."""
    (document,) = w.cloud.routers[str(network.uuid)].values()
    assert document["generation"] == network.generation
    assert document["segment"] == network.vlan
    ips = PublicAddress.all_tenants.filter(network=network).order_by("pk").values_list("ip", flat=True)
    assert [row["ip"] for row in document["public"]] == list(ips)


def nothing_wrong():
    wrong = {subject: lines for subject, lines in audit.findings().items() if lines and "limits" not in subject}
    assert wrong == {}
    return True


def owned_by(account):
    return {m._meta.label: n for m in owned_models() if (n := m.all_tenants.filter(owner=account).count())}
