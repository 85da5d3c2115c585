"""Sixteen at once want the last one: on MariaDB this is row locks, on SQLite one writer at a time."""

import pytest

from apps.core.errors import CloudError, InvalidParameter
from apps.hypervisors import fake
from apps.jobs import runner
from apps.jobs.flows import begin
from apps.jobs.models import FlowRun
from apps.machines.models import VirtualMachine
from apps.network.flows.shutdown import SHUTDOWN, Shutdown
from apps.network.models import Network, PublicAddress, RangeAddress, Segment
from apps.network.services import networks, public, segments
from tests import centre
from tests.crash import let_time_pass
from tests.network import scenes
from tests.test_concurrency import THREADS, in_threads

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def found(make, monkeypatch):
    monkeypatch.setattr(fake, "CLOUD", fake.Cloud())
    return centre.centre(make, segments=3, public=3)


def tried(work):
    """How many of all got it; the others are refused as a client is."""
    won, codes = [], []

    def attempt(number):
        try:
            won.append(work(number))
        except CloudError as error:
            codes.append(error.code)

    in_threads(attempt)
    return won, set(codes)


def test_each_free_address_goes_to_one_and_then_there_is_none(make, found):
    owners = [make.account(f"a{n}") for n in range(4)]

    won, codes = tried(lambda n: public.acquire(owner=owners[n % 4], zone=found.zone).ip)

    assert (sorted(won), codes) == (["192.168.0.2", "192.168.0.3", "192.168.0.4"], {533})
    assert PublicAddress.all_tenants.count() == RangeAddress.objects.exclude(taken_by="").count() == 3


def test_one_of_all_gets_the_address_that_all_ask_for(make, found):
    alice = make.account()

    won, codes = tried(lambda n: public.acquire(owner=alice, zone=found.zone, wanted="192.168.0.3").ip)

    assert (won, codes, PublicAddress.all_tenants.count()) == (["192.168.0.3"], {533}, 1)


def test_a_network_has_one_source_nat_address_however_many_are_acquired_at_once(make, found):
    alice = make.account()
    network = centre.isolated(found, alice)

    tried(lambda n: public.acquire(owner=alice, zone=found.zone, network=network))

    held = PublicAddress.all_tenants.filter(network=network)
    assert (held.count(), held.filter(is_source_nat=True).count()) == (3, 1)


def test_each_segment_goes_to_one_network(make, found):
    nets = [centre.isolated(found, make.account(f"a{n}")) for n in range(THREADS)]

    won, codes = tried(lambda n: segments.allocate(nets[n]))

    assert (len(won), codes) == (3, {533})
    taken = Segment.objects.exclude(network=None).order_by("number")
    assert [(s.number, s.network.vlan) for s in taken] == [(100, "100"), (101, "101"), (102, "102")]


def test_one_network_gets_the_vlan_that_all_choose(make, found):
    root, chosen = make.root().account, centre.offering(specify_vlan=True)

    won, codes = tried(lambda n: centre.isolated(found, root, offering=chosen, vlan="55").vlan)

    assert (won, codes, Network.all_tenants.count()) == (["55"], {431}, 1)


def test_each_card_gets_an_address_of_its_own(make, found):
    alice = make.account()
    network = centre.isolated(found, alice, gateway="10.5.0.1", netmask="255.255.255.240")
    vms = [make.vm(alice) for _ in range(THREADS)]
    from apps.machines.services import nics

    won, codes = tried(lambda n: nics.allocate(vms[n], network, device_id=0, is_default=True).ip)

    assert (sorted(won), codes) == (sorted(f"10.5.0.{n}" for n in range(2, 15)), {533})


def test_an_account_gets_one_first_network_however_many_machines_it_begins_with(make, found):
    alice = make.account()
    centre.offering(availability="Required")

    won, codes = tried(lambda n: networks.for_deployment(alice, found.zone)[0].pk)

    assert (len(set(won)), codes, Network.all_tenants.count()) == (1, set(), 1)


def test_one_of_all_makes_the_pod_with_a_name(make, found):
    from apps.infrastructure.models import Pod
    from apps.infrastructure.services import zones

    place = {"gateway": "172.17.0.1", "netmask": "255.255.0.0"}

    def work(n):
        ends = {"start_ip": f"172.17.{n}.2", "end_ip": f"172.17.{n}.9"}
        return zones.create_pod(zone=found.zone, name="same", **place, **ends).pk

    won, codes = tried(work)

    assert (len(won), codes) == (1, {InvalidParameter.code})
    assert Pod.all_tenants.filter(name="same").count() == 1


def test_of_a_start_and_a_shutdown_at_the_same_moment_no_machine_is_left_without_its_network(make, found):
    alice = make.account()
    network = centre.isolated(found, alice)
    vms = [centre.machine(make, alice, network) for _ in range(3)]
    scenes.start(vms[0], network)
    settle()
    for _ in range(4):
        for vm in vms:
            centre.put(vm, "Stopped")

        def work(number):
            if number < 3:
                scenes.start(vms[number], network)
            elif number == 3:
                begin(SHUTDOWN, Shutdown(network_id=network.pk), child=True)
            runner.drain()

        in_threads(work)
        settle()

        network.refresh_from_db()
        states = set(VirtualMachine.all_tenants.filter(kind="User").values_list("state", flat=True))
        assert (network.state, states) == ("Implemented", {"Running"})
        assert scenes.routers().get().state == "Running"
        assert scenes.nothing_wrong()


def settle():
    for _ in range(60):
        runner.drain()
        if not FlowRun.objects.filter(phase__in=FlowRun.LIVE).exists():
            return
        let_time_pass()
    raise AssertionError(list(FlowRun.objects.filter(phase__in=FlowRun.LIVE).values()))
