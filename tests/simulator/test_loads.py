from datetime import timedelta

import pytest

from apps.infrastructure.models import Cluster, Host
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
