from datetime import timedelta

import pytest

from apps.infrastructure.models import Cluster, Host, HostLoad, HostLoadSample
from apps.machines.models import Load, LoadSample, VirtualMachine
from apps.simulator import schedules

pytestmark = pytest.mark.django_db


@pytest.fixture
def running(make):
    cluster, host, owner = make.row("infrastructure.Cluster", None), make.host(), make.account()
    Cluster.all_tenants.filter(pk=cluster.pk).update(hypervisor="Simulator")
    Host.all_tenants.filter(pk=host.pk).update(cluster=cluster)
    rows = [make.vm(owner, name=f"vm{n}") for n in range(3)]
    VirtualMachine.all_tenants.filter(pk__in=[row.pk for row in rows[:2]]).kernel_update(state="Running", host=host)
    return rows[:2]


def test_machines_that_run_seem_to_work(running):
    schedules.use()
    Load.objects.update(at=Load.objects.first().at - timedelta(minutes=1))
    before = Load.objects.get(vm=running[0])

    schedules.use()

    after = Load.objects.get(vm=running[0])
    assert {load.vm_id for load in Load.objects.all()} == {vm.pk for vm in running}
    assert LoadSample.objects.count() == 4
    assert 0 < after.cpu_percent <= 100
    assert after.received_bytes > before.received_bytes


def test_clouds_of_many_machines_are_left_alone(running, monkeypatch):
    monkeypatch.setattr(schedules, "MOST", 1)

    schedules.use()

    assert Load.objects.count() == 0


@pytest.fixture
def host(make):
    row = make.host()
    Host.all_tenants.filter(pk=row.pk).kernel_update(hypervisor="Simulator", cpu_mhz_used=16_000, guests=4)
    return row


def test_hosts_seem_to_work(host):
    schedules.use_hosts()
    HostLoad.objects.update(at=HostLoad.objects.get().at - timedelta(minutes=1))
    before = HostLoad.objects.get()

    schedules.use_hosts()

    after = HostLoad.objects.get(host=host)
    assert HostLoadSample.objects.count() == 2
    assert Host.all_tenants.get(pk=host.pk).last_pinged > before.at
    assert 2 < after.cpu_percent <= 100
    assert after.received_bytes > before.received_bytes


def test_hosts_that_are_not_simulated_or_not_up_seem_to_do_nothing(host, make):
    make.host("real")
    Host.all_tenants.filter(pk=host.pk).update(status="Down")

    schedules.use_hosts()

    assert HostLoad.objects.count() == 0


def test_clouds_of_many_hosts_are_left_alone(host, monkeypatch):
    monkeypatch.setattr(schedules, "MOST", 0)

    schedules.use_hosts()

    assert HostLoad.objects.count() == 0
