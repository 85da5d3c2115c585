"""What the product makes of reports: who runs is believed only after a look, and silence is no proof."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.agents import schedules
from apps.agents.services import reports
from apps.core import secret
from apps.events.models import Alert, UsageEvent
from apps.hypervisors.errors import Busy, Unknown
from apps.infrastructure.models import Host, HostLoad
from apps.machines.models import Load, Nic, VirtualMachine
from apps.machines.services import nics
from apps.network.models import Network

S = VirtualMachine.State


def told(sequence=1, boot="b", **more):
    return {"boot": boot, "sequence": sequence, "machines": [], "busy": [], "networks": {}, **more}


def state(vm):
    return VirtualMachine.all_tenants.values_list("state", "host").get(pk=vm.pk)


def test_a_machine_that_ended_by_itself_is_stopped_and_its_usage_ends(running, cloud):
    cloud.running.clear()

    reports.take(running.host, told())

    assert state(running.vm) == (S.STOPPED, None)
    assert list(UsageEvent.objects.values_list("kind", "row_id")) == [("VM.STOP", running.vm.pk)]


def test_a_machine_that_runs_although_a_late_report_does_not_know_it_stays(running):
    reports.take(running.host, told())

    assert state(running.vm) == (S.RUNNING, running.host.pk)
    assert not UsageEvent.objects.exists()


def test_what_the_host_is_working_on_is_not_even_looked_at(running, cloud):
    cloud.running.clear()

    reports.take(running.host, told(busy=[f"vm:{running.vm.uuid}"]))

    assert state(running.vm) == (S.RUNNING, running.host.pk)
    assert cloud.calls == []


@pytest.mark.parametrize("error", [Busy("later"), Unknown("lost")])
def test_a_look_that_tells_nothing_changes_nothing(running, cloud, monkeypatch, error):
    cloud.running.clear()

    def runs(*args, **how):
        raise error

    monkeypatch.setattr("apps.hypervisors.fake.FakePower.runs", runs)
    reports.take(running.host, told())

    assert state(running.vm) == (S.RUNNING, running.host.pk)


def test_a_host_whose_libvirt_does_not_answer_says_nothing_about_machines(running, cloud):
    cloud.running.clear()
    report = told(libvirt="it does not answer")
    del report["machines"]

    reports.take(running.host, report)

    assert state(running.vm) == (S.RUNNING, running.host.pk)


def test_a_report_that_is_older_than_the_last_one_is_void(running, cloud):
    there = [{"uuid": str(running.vm.uuid), "state": "running"}]
    reports.take(running.host, told(5, machines=there))
    cloud.running.clear()

    for sequence in (5, 4):
        reports.take(running.host, told(sequence))
    assert state(running.vm) == (S.RUNNING, running.host.pk)

    reports.take(running.host, told(1, boot="another"))
    assert state(running.vm) == (S.STOPPED, None)


def test_a_host_that_is_silent_is_disconnected_with_an_alert_and_up_when_it_reports_again(running):
    reports.take(running.host, told(1, machines=[{"uuid": str(running.vm.uuid)}]))
    schedules.note_silent()
    assert Host.all_tenants.get().status == "Up"
    Host.all_tenants.update(last_pinged=timezone.now() - timedelta(seconds=151))

    schedules.note_silent()
    schedules.note_silent()

    assert Host.all_tenants.get().status == "Disconnected"
    assert [(a.kind, a.subject) for a in Alert.all_tenants.all()] == [
        ("ALERT.COMPUTE.HOST", f"host {running.host.name}")
    ]
    assert state(running.vm) == (S.RUNNING, running.host.pk)
    reports.take(running.host, told(2, machines=[{"uuid": str(running.vm.uuid)}]))
    assert (Host.all_tenants.get().status, Host.all_tenants.get().disconnected) == ("Up", None)


@pytest.mark.parametrize(("holds", "is_forgotten"), [(0, True), (-1, False)])
def test_a_password_is_forgotten_once_it_was_fetched_from_the_newest_document(make, running, holds, is_forgotten):
    network = make.shared_network()
    nics.allocate(running.vm, network, device_id=0, is_default=True)
    VirtualMachine.all_tenants.filter(pk=running.vm.pk).update(password=secret.seal("word"))
    generation = Network.all_tenants.get(pk=network.pk).generation + holds
    there = [{"uuid": str(running.vm.uuid)}]
    fetched = {str(network.uuid): [str(running.vm.uuid), "no uuid"]}

    report = told(machines=there, networks={str(network.uuid): generation}, fetched_passwords=fetched)
    reports.take(running.host, report)

    assert (VirtualMachine.all_tenants.get(pk=running.vm.pk).password == "") is is_forgotten
    assert Nic.all_tenants.count() == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"machines": "all"},
        {"machines": [1, None]},
        {"busy": 7, "sequence": True},
        {"fetched_passwords": {"x": ["y"]}, "networks": None},
        {"boot": None, "sequence": "7"},
    ],
)
def test_a_report_that_is_none_breaks_nothing(running, broken):
    reports.take(running.host, {**told(), **broken})

    assert state(running.vm) == (S.RUNNING, running.host.pk)


def used(vm):
    nic = {"uuid": "n", "received_bytes": 5 << 20, "sent_bytes": 1}
    disk = {"uuid": "d", "read_bytes": 1, "written_bytes": 2, "read_requests": 3, "write_requests": 4}
    return {
        "uuid": str(vm.uuid),
        "epoch": "e",
        "cpu_seconds": 7.5,
        "memory_kib": 9,
        "nics": [nic],
        "disks": [disk],
    }


def test_what_machines_use_is_kept(running):
    there = [{"uuid": str(running.vm.uuid)}]

    reports.take(running.host, told(machines=there, stats=[used(running.vm)]))

    assert list(Load.objects.values_list("vm", "cpu_seconds", "received_bytes", "write_requests")) == [
        (running.vm.pk, 7.5, 5 << 20, 4)
    ]


@pytest.mark.parametrize("wrong", [[], "text", [None, 7, {}], [{"uuid": "no uuid"}], [{"uuid": 5, "epoch": {}}]])
def test_what_is_no_measurement_is_passed_over(running, wrong):
    there = [{"uuid": str(running.vm.uuid)}]

    reports.take(running.host, told(machines=there, stats=wrong))

    assert Load.objects.count() == 0


OWN = {"epoch": "e", "cpu_seconds": 7.5, "memory_bytes": 9, "received_bytes": 8, "sent_bytes": 7, "load_average": 0.5}


def test_what_a_host_itself_uses_is_kept(running):
    reports.take(running.host, told(use=OWN))

    assert list(HostLoad.objects.values_list("host", "cpu_seconds", "memory_bytes", "load_average")) == [
        (running.host.pk, 7.5, 9, 0.5)
    ]


@pytest.mark.parametrize("wrong", [None, [], {}, OWN | {"epoch": "e", "memory_bytes": float("inf")}])
def test_what_is_no_measurement_of_a_host_is_passed_over(running, wrong):
    reports.take(running.host, told(use=wrong))

    assert HostLoad.objects.count() == 0


def test_what_a_host_says_of_machines_of_others_is_not_believed(running, make):
    other = make.vm(make.account("other"), name="other")

    reports.take(running.host, told(machines=[{"uuid": str(running.vm.uuid)}], stats=[used(other)]))

    assert Load.objects.count() == 0
