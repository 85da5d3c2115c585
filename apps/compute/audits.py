"""What must be true of machines of users, whatever was under way, was refused, or was killed."""

from collections.abc import Iterator
from typing import Any

from django.db.models import CharField, Count, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from apps.compute.models import AffinityMember, GroupMember
from apps.compute.services.cards import REMOVE
from apps.compute.services.disks import ATTACH, DETACH
from apps.compute.services.power import STOP
from apps.core.audit import audit
from apps.core.models import Question
from apps.jobs.models import FlowRun
from apps.machines.models import Attachment, Nic, Reservation, VirtualMachine
from apps.network.models import RangeAddress
from apps.storage.models import Volume

S, V = VirtualMachine.State, Volume.State
UP, DOWN = (S.RUNNING, S.STOPPING), (S.STOPPED, S.DESTROYED, S.ERROR)
ASIDE = (S.DESTROYED, S.ERROR)
KEY = "machines.virtualmachine:"


def living() -> QuerySet[VirtualMachine]:
    return VirtualMachine.all_tenants.filter(kind=VirtualMachine.Kind.USER)


def say(rows: Any, words: str) -> Iterator[str]:
    """One line for each, named by its uuid."""
    for uuid in rows.values_list("uuid", flat=True):
        yield f"instance {uuid} {words}"


@audit("instances: what runs has a host and holds a place there, what is down has neither")
def places() -> Iterator[str]:
    here = Exists(Reservation.objects.filter(vm=OuterRef("pk"), host=OuterRef("host")))
    anywhere = Exists(Reservation.objects.filter(vm=OuterRef("pk")))
    yield from say(living().filter(state__in=UP, host=None), "runs on no host")
    yield from say(living().filter(state__in=UP).exclude(host=None).exclude(here), "holds no place on its host")
    yield from say(living().filter(state__in=DOWN).exclude(host=None), "is down and on a host")
    yield from say(living().filter(state__in=DOWN).filter(anywhere), "is down and holds a place")
    for name in Reservation.objects.exclude(vm__removed=None).values_list("host__name", flat=True):
        yield f"a machine that is gone holds a place on {name}"


@audit("instances: those that were put aside or failed count nothing, the others count")
def counts() -> Iterator[str]:
    yield from say(living().filter(state__in=ASIDE, is_counted=True), "is put aside and counts")
    yield from say(living().exclude(state__in=ASIDE).filter(is_counted=False), "counts nothing")
    roots = Volume.all_tenants.filter(kind=Volume.Kind.ROOT, attachment__vm__kind=VirtualMachine.Kind.USER)
    counted = Q(is_counted=True)
    for uuid in roots.filter(counted, attachment__vm__state__in=ASIDE).values_list("uuid", flat=True):
        yield f"root disk {uuid} of an instance that was put aside counts"
    for uuid in roots.exclude(counted).exclude(attachment__vm__state__in=ASIDE).values_list("uuid", flat=True):
        yield f"root disk {uuid} counts nothing"


@audit("instances: each has one root disk, and disks are of its owner and in its zone")
def disks() -> Iterator[str]:
    roots = Attachment.objects.filter(vm=OuterRef("pk"), device_id=Attachment.ROOT_DEVICE)
    yield from say(living().exclude(state=S.ERROR).exclude(Exists(roots)), "has no root disk")
    held = Attachment.objects.filter(vm__kind=VirtualMachine.Kind.USER)
    yield from say(living().filter(state=S.ERROR, attachments__isnull=False), "has failed and has disks")
    is_root = Q(device_id=Attachment.ROOT_DEVICE)
    wrong = {
        "is of another owner than its instance": ~Q(volume__owner=F("vm__owner")),
        "is in another zone than its instance": ~Q(volume__zone=F("vm__zone")),
        "was removed and is attached": ~Q(volume__removed=None),
        "is attached to an instance that is gone": ~Q(vm__removed=None),
        "is in a slot of another kind": is_root ^ Q(volume__kind=Volume.Kind.ROOT),
        "is not made and its instance runs": Q(vm__state__in=UP, volume__state__in=(V.ALLOCATED, V.CREATING)),
        "has no date of its attachment": Q(volume__attached_at=None),
        "is being detached, and nobody asks": Q(detaching=True) & ~Q(pk__in=DETACH.open()),
        "is being attached, and nobody asks": Q(volume__state=V.ATTACHING) & ~Q(pk__in=ATTACH.open()),
    }
    for words, which in wrong.items():
        for uuid in held.filter(which).values_list("volume__uuid", flat=True):
            yield f"volume {uuid} {words}"
    for uuid in Volume.all_tenants.filter(state=V.ATTACHING, attachment=None).values_list("uuid", flat=True):
        yield f"volume {uuid} is being attached to nothing"


@audit("instances: each card has its address, and one of the cards is the default")
def cards() -> Iterator[str]:
    rows = Nic.all_tenants.filter(vm__kind=VirtualMachine.Kind.USER)
    wrong = {
        "is of an instance that is gone": ~Q(vm__removed=None),
        "is of an instance that has failed": Q(vm__state=S.ERROR),
        "has another address than was taken for it": Q(address__isnull=False) & ~Q(address__ip=F("ip")),
        "has an address that was not taken": Q(address=None) & ~Q(ip=None),
        "is being removed, and nobody asks": Q(unplugging=True) & ~Q(pk__in=REMOVE.open()),
        "is in use and its instance is down": Q(state="Reserved", vm__state__in=DOWN),
        "is not in use and its instance runs": Q(state="Allocated", vm__state=S.RUNNING),
    }
    for words, which in wrong.items():
        for uuid in rows.filter(which).values_list("uuid", flat=True):
            yield f"network card {uuid} {words}"
    defaults = Count("nics", filter=Q(nics__removed=None, nics__is_default=True))
    alive = Count("nics", filter=Q(nics__removed=None))
    counted = living().annotate(defaults=defaults, cards=alive).filter(cards__gt=0)
    yield from say(counted.exclude(defaults=1), "has not exactly one default card")
    yield from _addresses()


def _addresses() -> Iterator[str]:
    given = RangeAddress.objects.filter(nic__vm__kind=VirtualMachine.Kind.USER)
    theirs = Concat(Value(KEY), Cast("nic__vm", CharField()))
    for ip, taken_by in given.exclude(taken_by=theirs).values_list("ip", "taken_by"):
        yield f"address {ip} is taken by {taken_by!r} and is another's"
    held = RangeAddress.objects.filter(taken_by__startswith=KEY, nic=None).values_list("taken_by", "ip")
    left = {int(name.removeprefix(KEY)): ip for name, ip in held}
    users = VirtualMachine.including_removed.filter(pk__in=left, kind=VirtualMachine.Kind.USER)
    for key in users.values_list("pk", flat=True):
        yield f"address {left[key]} is taken for an instance that does not have it"


@audit("instances: whatever is between two states is being worked on or asked about")
def transitions() -> Iterator[str]:
    live = FlowRun.objects.filter(phase__in=FlowRun.LIVE, flow="compute.start")
    started = [key for key in live.values_list("context__vm_id", flat=True) if key]
    yield from say(living().filter(state=S.STARTING).exclude(pk__in=started), "is Starting and nobody starts it")
    yield from say(living().filter(state=S.STOPPING).exclude(pk__in=STOP.open()), "is Stopping and nobody asks")
    yield from say(living().filter(state__in=(S.EXPUNGING, S.RESTORING)), "was left between two states")
    for outcome, rows in (
        (ATTACH, Attachment.objects.all()),
        (DETACH, Attachment.objects.all()),
        (REMOVE, Nic.all_tenants.all()),
        (STOP, VirtualMachine.all_tenants.filter(state=S.STOPPING)),
    ):
        for key in Question.objects.filter(kind=outcome.kind).exclude(row_id__in=rows.values("pk")):
            yield f"question {outcome.kind} is about {key.row_id}, which is not there"


@audit("groups of instances: members live, and are of the group's owner")
def groups() -> Iterator[str]:
    for model in (GroupMember, AffinityMember):
        wrong = model.objects.exclude(vm__removed=None, group__removed=None, vm__owner=F("group__owner"))
        for name, uuid in wrong.values_list("group__name", "vm__uuid"):
            yield f"group {name} has instance {uuid}, which is gone or another's"
