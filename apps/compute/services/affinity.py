"""Affinity groups: which machines want one host, and which no common one."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from apps.compute.models import AffinityGroup, AffinityMember
from apps.core.errors import InvalidParameter
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.machines.models import Reservation, VirtualMachine
from apps.machines.services.holding import hold

S = VirtualMachine.State


@atomically
def create(*, owner: Any, name: str, kind: str, description: str = "") -> AffinityGroup:
    if kind not in AffinityGroup.Kind.values:
        raise InvalidParameter(f"type: is one of {', '.join(AffinityGroup.Kind.values)}, not {kind}")
    if not name:
        raise InvalidParameter("name: an affinity group has a name")
    try:
        with transaction.atomic():
            return admit(AffinityGroup, owner, name=name, kind=kind, description=description or name)
    except IntegrityError:
        raise InvalidParameter(f"name: there is an affinity group {name} already") from None


@atomically
def delete(*, group: AffinityGroup) -> None:
    """Its machines stay where they are, and are free to go anywhere from now on."""
    release(group)
    AffinityMember.objects.filter(group=group).delete()


def named(owner: Any, name: str | None) -> AffinityGroup:
    found = AffinityGroup.all_tenants.filter(owner=owner, name=name).first() if name else None
    if found is None:
        raise InvalidParameter(
            f"name: there is no affinity group {name}" if name else "id or name of the group is needed"
        )
    return found


def chosen(owner: Any, groups: Sequence[AffinityGroup], names: Sequence[str]) -> list[AffinityGroup]:
    """By ids or by names, of the machine's owner."""
    if groups and names:
        raise InvalidParameter("affinitygroupids and affinitygroupnames cannot be given together")
    for group in groups:
        if group.owner_id != owner.pk:
            raise InvalidParameter(f"affinitygroupids: group {group.uuid} is of another account than the instance")
    if not names:
        return list(dict.fromkeys(groups))
    found = {g.name: g for g in AffinityGroup.all_tenants.filter(owner=owner, name__in=names)}
    if missing := sorted(set(names) - found.keys()):
        raise InvalidParameter(f"affinitygroupnames: there is no affinity group {', '.join(missing)}")
    return list(found.values())


def join(vm: VirtualMachine, groups: Sequence[AffinityGroup]) -> None:
    """The groups are held until the transaction ends: one that is deleted at this moment is not joined."""
    keys = [group.pk for group in groups]
    held = list(AffinityGroup.all_tenants.select_for_update().filter(pk__in=keys).order_by("pk"))
    if len(held) != len(keys):
        raise InvalidParameter("affinitygroupids: one of the groups was deleted at this moment")
    AffinityMember.objects.bulk_create([AffinityMember(vm=vm, group=group) for group in held])


@atomically
def replace(
    *, vm: VirtualMachine, groups: Sequence[AffinityGroup] | None = None, names: Sequence[str] | None = None
) -> VirtualMachine:
    if groups is None and names is None:
        raise InvalidParameter("affinitygroupids: say the groups, or an empty list for none")
    if vm.state != S.STOPPED:
        raise InvalidParameter(f"id: instance {vm.uuid} is {vm.state}: stop it before changing its affinity groups")
    hold(vm)
    wanted = chosen(vm.owner, groups or (), names or ())
    AffinityMember.objects.filter(vm=vm).delete()
    join(vm, wanted)
    return vm


def bounds(vm: VirtualMachine) -> tuple[set[int] | None, set[int]]:
    """Hosts that the machine must be on (None: any), and those it must not be on: of the others of its groups."""
    mine = dict(AffinityMember.objects.filter(vm=vm).values_list("group_id", "group__kind"))
    if not mine:
        return None, set()
    together: set[int] | None = None
    apart: set[int] = set()
    held = Reservation.objects.filter(vm__affinities__group__in=mine).exclude(vm=vm)
    for group, host in held.values_list("vm__affinities__group_id", "host_id"):
        if mine.get(group) == AffinityGroup.Kind.ANTI_AFFINITY:
            apart.add(host)
        elif mine.get(group) == AffinityGroup.Kind.AFFINITY:
            together = (together or set()) | {host}
    return together, apart
