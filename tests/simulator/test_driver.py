import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.hypervisors.base import DiskSpec, HostAddress, MachineSpec
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.simulator.driver import connect
from apps.simulator.faults import FAULTS
from apps.simulator.models import Fault, Late, Machine, Plugged, Router

pytestmark = pytest.mark.django_db
NOW = {"within": 1.0}


@pytest.fixture(autouse=True)
def nothing_kept():
    FAULTS.outdated()
    FAULTS._places.clear()


@pytest.fixture
def host(make):
    row = make.host()
    return connect(HostAddress(row.pk, row.name, "http://sim/h1"))


def fault(**how):
    Fault.objects.create(**how)
    FAULTS.outdated()


def machine(disk="d"):
    return MachineSpec("m", 1, 512, disks=(DiskSpec(disk, 1),))


@pytest.mark.parametrize(
    ("outcome", "error", "acted"),
    [
        ("refused", Refused, False),
        ("busy", Busy, False),
        ("lost_before", Unknown, False),
        ("lost_after", Unknown, True),
    ],
)
def test_a_fault_hits_the_call_as_often_as_was_asked(host, outcome, error, acted):
    fault(call="disks.create", outcome=outcome, times=1)

    with pytest.raises(error):
        host.disks.create(DiskSpec("d", 1), **NOW)

    assert host.disks.exists("d", **NOW) is acted
    host.disks.create(DiskSpec("d", 1), **NOW)
    assert host.disks.exists("d", **NOW)


def test_what_acts_late_is_busy_until_it_has_landed(host):
    fault(call="disks.create", outcome="late", late_ms=60_000, times=1)
    with pytest.raises(Unknown):
        host.disks.create(DiskSpec("d", 1), **NOW)

    for look in (lambda: host.disks.exists("d", **NOW), lambda: host.disks.delete("d", **NOW)):
        with pytest.raises(Busy):
            look()
    Late.objects.update(due_at=timezone.now())
    assert host.disks.exists("d", **NOW)


def test_a_fault_of_another_place_does_not_hit(make, host):
    row = make.host("h2")
    for where in ({"host": row.pk}, {"zone": row.zone_id + 1}, {"cluster": 7}):
        fault(outcome="refused", **where)
    host.disks.create(DiskSpec("d", 1), **NOW)
    fault(outcome="refused", zone=row.zone_id)
    with pytest.raises(Refused):
        host.disks.create(DiskSpec("e", 1), **NOW)


def test_latency_is_waited_for(host):
    fault(latency_ms=50)
    begun = time.monotonic()

    host.disks.create(DiskSpec("d", 1), **NOW)

    assert time.monotonic() - begun >= 0.05


def test_one_disk_is_never_in_two_machines_and_one_machine_never_on_two_hosts(make, host):
    other = connect(HostAddress(make.host("h2").pk, "h2"))
    host.disks.create(DiskSpec("d", 1), **NOW)
    host.power.start(machine(), **NOW)

    with pytest.raises(Refused):
        other.power.start(machine(), **NOW)
    with pytest.raises(Refused):
        other.power.start(MachineSpec("n", 1, 512, disks=(DiskSpec("d", 1),)), **NOW)

    assert list(Machine.objects.values_list("uuid", "host")) == [("m", host.power.key)]
    assert list(Plugged.objects.values_list("disk", "machine")) == [("d", "m")]


def test_an_older_document_never_replaces_a_newer_one(host):
    for generation, holds in ((2, 2), (1, 2), (3, 3)):
        assert host.networks.apply({"network": "n", "generation": generation}, **NOW) == holds
    assert Router.objects.get().document["generation"] == 3
    host.networks.remove("n", **NOW)
    assert host.networks.generation("n", **NOW) is None


@pytest.mark.parametrize(
    ("url", "facts"),
    [
        ("http://sim/c1/h1", (4, 8000, 8589934592)),
        ("http://sim/c1/cpucore=16&memory=65536", (16, 8000, 65536 << 20)),
    ],
)
def test_a_host_says_what_its_url_says(url, facts):
    found = connect(HostAddress(1, "h", url)).host.facts(**NOW)

    assert (found.cpu_cores, found.cpu_speed_mhz, found.memory_bytes) == facts


def test_a_call_costs_few_statements(host):
    host.disks.create(DiskSpec("d", 1), **NOW)
    with CaptureQueriesContext(connection) as queries:
        host.power.start(machine(), **NOW)
    said = [q["sql"] for q in queries if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(said) == 6
