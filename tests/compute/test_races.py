"""Many at the same moment: on MariaDB row locks and deadlocks, on SQLite one writer at a time."""

import random
import time
from collections import Counter as Tally
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.compute.models import InstanceGroup
from apps.compute.services import instances
from apps.core import dispatch
from apps.core.errors import CloudError
from apps.core.models import Tag
from apps.core.retry import atomically
from apps.jobs import engine, sweeper, worker
from apps.jobs.models import FlowRun, Job
from apps.limits.models import Counter
from apps.limits.services import set_limit
from apps.machines.models import Attachment, Nic, VirtualMachine
from apps.network.models import Network
from apps.offerings.models import ServiceOffering
from tests.compute.world import World, check
from tests.test_concurrency import THREADS, in_threads

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 120


@pytest.fixture
def world(transactional_db, make, monkeypatch):
    world = World(make, monkeypatch)
    for host in world.hosts:
        type(host).all_tenants.filter(pk=host.pk).update(memory_mib_capacity=1 << 20, cpu_mhz_capacity=1 << 20)
    return world


def work_off():
    """What a worker does: whatever is waiting or due, until nothing is."""
    ends = time.monotonic() + PATIENCE
    while True:
        waiting = [key for key, _ in sweeper.waiting_jobs()]
        due = [key for key, _ in sweeper.due_flows()]
        random.shuffle(waiting)
        moved = [worker.run(key) for key in waiting[:5]] + [engine.advance(key) for key in due]
        if not any(moved) and not Job.objects.filter(status__in=Job.LIVE).exists():
            return
        no_pauses()
        assert time.monotonic() < ends, list(Job.objects.filter(status__in=Job.LIVE).values("command", "status"))
        time.sleep(0.001 if any(moved) else 0.02)


@atomically
def no_pauses():
    """A step that is to be tried again is tried at once."""
    FlowRun.objects.filter(phase__in=FlowRun.LIVE, waits_for=None, tries__gt=0).update(wake_at=timezone.now())


def submit(world, command, tally, **params):
    try:
        got = dispatch.call(world.alice, command, **params)
        tally["accepted"] += 1
        return got
    except CloudError as error:
        tally[error.code] += 1
        return None


def outcomes():
    return Tally(Job.objects.values_list("status", flat=True))


def test_deploying_into_one_network(world):
    set_limit(kind="user_vm", limit=20, account=world.alice.account)
    net, tally = world.isolated(), Tally()

    def work(number):
        name = "same" if number % 2 else f"own{number}"
        for turn in range(2):
            order = world.order(networkids=[net, world.shared], name=f"{name}-{turn}", group="front")
            submit(world, "deployVirtualMachine", tally, **order)
        work_off()

    in_threads(work)

    made = VirtualMachine.all_tenants.filter(kind="User")
    names = list(made.values_list("name", flat=True))
    assert (tally["accepted"], tally[431]) == (18, 14)  # 8 names of their own and one of the others, twice
    assert len(names) == len(set(names)) == 18
    assert set(made.values_list("state", flat=True)) == {"Running"}
    ips = list(Nic.all_tenants.values_list("network", "ip"))
    assert len(ips) == len(set(ips)) == 36
    assert InstanceGroup.all_tenants.count() == 1
    assert Network.all_tenants.get(pk=net.pk).state == "Implemented"
    assert world.cloud.calls.count("networks.apply on h1") + world.cloud.calls.count("networks.apply on h2") <= 36
    check(world)


def test_a_limit_is_exact(world):
    set_limit(kind="user_vm", limit=5, account=world.alice.account)
    tally = Tally()

    in_threads(lambda number: submit(world, "deployVirtualMachine", tally, **world.order(startvm=False)))
    work_off()

    assert (tally["accepted"], tally[535], VirtualMachine.all_tenants.count()) == (5, THREADS - 5, 5)
    check(world)


def test_everything_at_once_with_a_few_machines(world):
    """Whatever wins, the books are right and each job has ended."""
    world.setting("allow.user.expunge.recover.vm", "true")
    five = world.disk_offering(5)
    vms = [world.deploy(diskofferingid=five, startvm=bool(n % 2)) for n in range(4)]
    loose, tally = [world.make.volume(world.alice.account) for _ in range(3)], Tally()
    big = ServiceOffering(name="big", cpus=2, memory_mib=700)
    big.save()

    def work(number):
        dice = random.Random(number)
        for _ in range(6):
            vm, volume = dice.choice(vms), dice.choice(loose)
            command, params = dice.choice(
                [
                    ("startVirtualMachine", {"id": vm.uuid}),
                    ("stopVirtualMachine", {"id": vm.uuid}),
                    ("rebootVirtualMachine", {"id": vm.uuid}),
                    ("destroyVirtualMachine", {"id": vm.uuid}),
                    ("recoverVirtualMachine", {"id": vm.uuid}),
                    ("restoreVirtualMachine", {"virtualmachineid": vm.uuid}),
                    ("attachVolume", {"id": volume.uuid, "virtualmachineid": vm.uuid}),
                    ("detachVolume", {"id": volume.uuid}),
                    ("changeServiceForVirtualMachine", {"id": vm.uuid, "serviceofferingid": big.uuid}),
                    ("changeServiceForVirtualMachine", {"id": vm.uuid, "serviceofferingid": world.small.uuid}),
                    ("updateVirtualMachine", {"id": vm.uuid, "name": f"n{dice.randrange(3)}", "group": "g"}),
                ]
            )
            submit(world, command, tally, **params)
        work_off()

    in_threads(work)
    work_off()

    assert sum(tally.values()) == THREADS * 6
    assert set(tally) <= {"accepted", 431, 535, 536}
    codes = set(Job.objects.values_list("result_code", flat=True))
    assert codes <= {0, 431, 536}, list(Job.objects.exclude(result_code__in=(0, 431, 536)).values("command", "result"))
    check(world)


def test_destroying_while_others_start(world):
    vms = [world.deploy(startvm=False) for _ in range(THREADS)]
    tally = Tally()

    def work(number):
        submit(world, "startVirtualMachine" if number % 2 else "destroyVirtualMachine", tally, id=vms[number].uuid)
        submit(world, "destroyVirtualMachine" if number % 2 else "startVirtualMachine", tally, id=vms[number].uuid)
        work_off()

    in_threads(work)

    assert set(VirtualMachine.all_tenants.values_list("state", flat=True)) == {"Destroyed"}
    check(world)


def test_recovering_against_expunging(world):
    vms = [world.deploy(startvm=False) for _ in range(THREADS // 2)]
    for vm in vms:
        world.do("destroyVirtualMachine", id=vm.uuid)
    VirtualMachine.all_tenants.update(destroyed=timezone.now() - timedelta(days=9))
    root, ended = world.root, Tally()

    def work(number):
        vm = vms[number // 2]
        try:
            if number % 2:
                dispatch.call(root, "recoverVirtualMachine", id=vm.uuid)
            else:
                instances.expunge(vm=world.read(vm))
            ended["done"] += 1
        except CloudError as error:
            ended[error.code] += 1

    in_threads(work)
    work_off()

    assert ended["done"] == len(vms)
    assert ended["done"] + ended[431] + ended[536] == THREADS
    assert set(VirtualMachine.all_tenants.values_list("state", flat=True)) <= {"Stopped"}
    check(world)


def test_changing_the_offering_against_starting(world):
    vms = [world.deploy(startvm=False) for _ in range(THREADS // 2)]
    (big := ServiceOffering(name="big", cpus=4, memory_mib=4096)).save()
    tally = Tally()

    def work(number):
        vm = vms[number // 2]
        if number % 2:
            submit(world, "startVirtualMachine", tally, id=vm.uuid)
        else:
            submit(world, "changeServiceForVirtualMachine", tally, id=vm.uuid, serviceofferingid=big.uuid)
        work_off()

    in_threads(work)

    for vm in map(world.read, vms):
        assert (vm.state, vm.reservation.memory_mib) == ("Running", vm.memory_mib)
    used = Counter.objects.get(account=world.alice.account, kind="memory").used
    assert used == sum(vm.memory_mib for vm in map(world.read, vms))
    check(world)


def test_one_volume_and_many_machines(world):
    vms = [world.deploy(startvm=bool(n % 2)) for n in range(4)]
    volume, tally = world.make.volume(world.alice.account), Tally()

    def work(number):
        submit(world, "attachVolume", tally, id=volume.uuid, virtualmachineid=vms[number % 4].uuid)
        work_off()

    in_threads(work)

    assert Attachment.objects.filter(volume=volume).count() == 1
    done = Job.objects.filter(command="attachVolume", status="succeeded").count()
    assert (done, tally["accepted"]) == (1, THREADS)
    check(world)


def test_one_tag_of_one_name(world):
    vm, tally = world.deploy(startvm=False), Tally()

    def work(number):
        tags = [{"key": "k", "value": str(number)}]
        params = {"resourceids": vm.uuid, "resourcetype": "UserVm", "tags": tags}
        submit(world, "createTags", tally, **params)
        work_off()

    in_threads(work)

    assert Tag.objects.count() == 1
    assert Job.objects.filter(command="createTags", status="succeeded").count() == 1
    assert set(Job.objects.filter(status="failed").values_list("result_code", flat=True)) == {431}
