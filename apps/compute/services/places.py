"""Where a machine may run, as placement hears it: what an administrator wished, affinity, what failed before."""

from collections.abc import Collection, Mapping
from typing import Any

from apps.compute.models import AffinityGroup, AffinityMember
from apps.compute.services import affinity
from apps.infrastructure.models import Host
from apps.machines.models import VirtualMachine
from apps.machines.services import placement
from apps.storage.models import Volume


def reserve(vm: VirtualMachine, wish: Mapping[str, Any], avoid: Collection[int]) -> Host:
    is_grouped = AffinityMember.objects.filter(vm=vm).exists()
    return placement.reserve(vm, wish=wish, avoid=avoid, bounds=_bounds if is_grouped else None)


def _bounds(vm: VirtualMachine) -> tuple[set[int] | None, set[int]]:
    """Machines of one group are placed one after the other: two at once would not see each other's places."""
    groups = AffinityMember.objects.filter(vm=vm).values_list("group", flat=True)
    list(AffinityGroup.all_tenants.select_for_update().filter(pk__in=list(groups)).order_by("pk"))
    return affinity.bounds(vm)


def reserve_pool(volume: Volume, host: Host) -> None:
    """Storage that the host reaches, for a disk that has none yet."""
    placement.reserve_pool(volume, host)


def plan(vm: VirtualMachine, wish: Mapping[str, Any], is_counted: bool) -> placement.Rehearsal:
    together, apart = affinity.bounds(vm)
    return placement.rehearse(vm, wish=wish, together=together, apart=apart, is_counted=is_counted)


def elsewhere(keys: Collection[str]) -> Mapping[str, Mapping[str, Any] | None]:
    """Where a few machines, by uuid, would start if their host went, each as if it went alone; None where one has no
    other place now.
    """
    rows = VirtualMachine.all_tenants.filter(uuid__in=keys).select_related("template", "offering", "zone", "owner")
    return {str(vm.uuid): _elsewhere(vm) for vm in rows}


def _elsewhere(vm: VirtualMachine) -> Mapping[str, Any] | None:
    together, apart = affinity.bounds(vm)
    return placement.elsewhere(vm, together=together, apart=apart)
