"""Each audit of machines finds what it is there for; on a world that is right it finds nothing."""

import pytest

from apps.compute.models import AffinityMember, GroupMember
from apps.core.audit import CHECKS
from apps.core.models import Question
from apps.hypervisors.errors import Refused
from apps.infrastructure.models import Zone
from apps.machines.models import Attachment, Nic, Reservation, VirtualMachine
from apps.network.models import RangeAddress
from apps.storage.models import Volume
from tests.compute.world import check

PLACES = "instances: what runs has a host and holds a place there, what is down has neither"
COUNTS = "instances: those that were put aside or failed count nothing, the others count"
DISKS = "instances: each has one root disk, and disks are of its owner and in its zone"
CARDS = "instances: each card has its address, and one of the cards is the default"
MOVES = "instances: whatever is between two states is being worked on or asked about"
GROUPS = "groups of instances: members live, and are of the group's owner"
GONE = "2026-01-01T00:00Z"


@pytest.fixture
def full(world):
    """A machine in each of the states that last."""
    five = world.disk_offering(5)
    world.up = world.deploy(name="up", diskofferingid=five, group="g")
    world.group = world.make.row("compute.AffinityGroup", world.alice.account)
    world.down = world.deploy(name="down", startvm=False, affinitygroupids=world.group)
    world.aside = world.deploy(name="aside", diskofferingid=five)
    world.do("destroyVirtualMachine", id=world.aside.uuid)
    world.fail("disks.create", Refused("full"))
    with pytest.raises(Exception, match="could not be made"):
        world.deploy(name="failed")
    world.failed = VirtualMachine.all_tenants.get(name="failed")
    return world


def vms(vm):
    return VirtualMachine.all_tenants.filter(pk=vm.pk)


def cards(vm):
    return Nic.all_tenants.filter(vm=vm)


def disk(vm, device=0):
    return Volume.all_tenants.filter(attachment__vm=vm, attachment__device_id=device)


def other(world):
    return world.make.account("bob", world.make.domain())


def far():
    (zone := Zone(name="far")).save()
    return zone


def elsewhere(world, vm):
    """Of hosts that are alike chance takes one."""
    return next(host for host in world.hosts if host.pk != world.read(vm).host_id)


def hold(world, vm):
    Reservation.objects.create(vm=vm, host=world.hosts[0], cpu_mhz=1, memory_mib=1)


BREAKS = {
    (PLACES, "runs on no host"): lambda w: vms(w.up).update(host=None),
    (PLACES, "holds no place on its host"): lambda w: Reservation.objects.filter(vm=w.up).update(
        host=elsewhere(w, w.up)
    ),
    (PLACES, "is down and on a host"): lambda w: vms(w.aside).update(host=w.hosts[0]),
    (PLACES, "is down and holds a place"): lambda w: hold(w, w.failed),
    (PLACES, "a machine that is gone holds a place"): lambda w: vms(w.up).kernel_update(removed=GONE),
    (COUNTS, "is put aside and counts"): lambda w: vms(w.aside).kernel_update(is_counted=True),
    (COUNTS, "counts nothing"): lambda w: vms(w.down).kernel_update(is_counted=False),
    (COUNTS, "put aside counts"): lambda w: disk(w.aside).kernel_update(is_counted=True),
    (COUNTS, "root disk"): lambda w: disk(w.up).kernel_update(is_counted=False),
    (DISKS, "has no root disk"): lambda w: Attachment.objects.filter(vm=w.down).delete(),
    (DISKS, "has failed and has disks"): lambda w: Attachment.objects.filter(vm=w.up, device_id=1).update(vm=w.failed),
    (DISKS, "of another owner"): lambda w: disk(w.up).kernel_update(owner=other(w)),
    (DISKS, "in another zone"): lambda w: disk(w.up).update(zone=far()),
    (DISKS, "was removed and is attached"): lambda w: disk(w.up).kernel_update(removed=GONE),
    (DISKS, "attached to an instance that is gone"): lambda w: vms(w.down).kernel_update(removed=GONE),
    (DISKS, "in a slot of another kind"): lambda w: disk(w.up, 1).update(kind="ROOT"),
    (DISKS, "is not made and its instance runs"): lambda w: disk(w.up).kernel_update(state="Creating"),
    (DISKS, "no date of its attachment"): lambda w: disk(w.up).update(attached_at=None),
    (DISKS, "being detached, and nobody asks"): lambda w: Attachment.objects.filter(vm=w.up).update(detaching=True),
    (DISKS, "being attached, and nobody asks"): lambda w: disk(w.up, 1).kernel_update(state="Attaching"),
    (DISKS, "being attached to nothing"): lambda w: w.make.volume(w.alice.account, state="Attaching"),
    (CARDS, "of an instance that is gone"): lambda w: vms(w.down).kernel_update(removed=GONE),
    (CARDS, "of an instance that has failed"): lambda w: cards(w.down).update(vm=w.failed),
    (CARDS, "another address than was taken"): lambda w: cards(w.down).update(ip="10.9.0.99"),
    (CARDS, "an address that was not taken"): lambda w: cards(w.down).update(address=None),
    (CARDS, "being removed, and nobody asks"): lambda w: cards(w.up).update(unplugging=True),
    (CARDS, "in use and its instance is down"): lambda w: cards(w.down).kernel_update(state="Reserved"),
    (CARDS, "not in use and its instance runs"): lambda w: cards(w.up).kernel_update(state="Allocated"),
    (CARDS, "not exactly one default card"): lambda w: cards(w.up).update(is_default=False),
    (CARDS, "and is another's"): lambda w: RangeAddress.objects.filter(nic__vm=w.up).update(taken_by="x:1"),
    (CARDS, "that does not have it"): lambda w: RangeAddress.objects.filter(ip="10.9.0.99").update(
        taken_by=w.up.lock_key
    ),
    (MOVES, "is Starting and nobody starts it"): lambda w: vms(w.down).kernel_update(state="Starting"),
    (MOVES, "is Stopping and nobody asks"): lambda w: vms(w.up).kernel_update(state="Stopping"),
    (MOVES, "left between two states"): lambda w: vms(w.down).kernel_update(state="Restoring"),
    (MOVES, "which is not there"): lambda w: Question.objects.create(kind="compute.attach", row_id=99, due_at=GONE),
    (GROUPS, "group g has instance"): lambda w: vms(w.up).kernel_update(removed=GONE),
    (GROUPS, "gone or another's"): lambda w: AffinityMember.objects.filter(vm=w.down).update(group=foreign(w)),
}


def foreign(world):
    return world.make.row("compute.AffinityGroup", other(world))


def test_a_world_that_is_right_has_no_findings(full):
    check(full)
    states = {vm.name: vm.state for vm in VirtualMachine.all_tenants.all()}
    assert states == {"up": "Running", "down": "Stopped", "aside": "Destroyed", "failed": "Error"}
    assert (GroupMember.objects.count(), AffinityMember.objects.count()) == (1, 1)


@pytest.mark.parametrize(("subject", "words"), BREAKS, ids=lambda text: text[:40])
def test_what_is_broken_is_found(full, subject, words):
    assert list(CHECKS[subject]()) == []

    BREAKS[subject, words](full)

    assert [line for line in CHECKS[subject]() if words in line] != []
