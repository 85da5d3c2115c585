"""A placement that takes nothing: where would the machine go now, and what fell out why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from apps.machines.models import VirtualMachine
from apps.machines.services.placement import explanations, requests, storage
from apps.machines.services.placement.choosing import Search


@dataclass(frozen=True)
class Rehearsal:
    """``details`` are for administrators; ``tenant`` is why it does not fit, in words for the owner, or ""."""

    fits: bool
    tenant: str
    details: dict[str, Any]


def rehearse(
    vm: VirtualMachine,
    *,
    wish: Mapping[str, Any] | None = None,
    together: Collection[int] | None = None,
    apart: Collection[int] = (),
    is_counted: bool = True,
) -> Rehearsal:
    """``is_counted`` has the hosts of the zone counted by what drops them, where the machine fits too."""
    request = requests.of(vm, wish=wish, together=together, apart=apart)
    if details := _choice(request):
        counts = explanations.of_hosts(request) if is_counted else None
        counted = {"hosts": counts.total, "dropped": counts.details, "fit": counts.left} if counts else {}
        return Rehearsal(True, "", details | counted)
    refusal = explanations.of_refusal(request)
    return Rehearsal(False, refusal.tenant, refusal.details)


def elsewhere(vm: VirtualMachine, *, together: Collection[int] | None, apart: Collection[int]) -> dict[str, Any] | None:
    """Where it would go if its host went, as explanations tell a choice; None where no other host fits. Cheap, also
    then: what fell out is not counted.
    """
    away = [vm.host_id] if vm.host_id else []
    return _choice(requests.of(vm, together=together, apart=apart, avoid=away))


def _choice(request: requests.Request) -> dict[str, Any] | None:
    found = Search(request).candidates()
    for host in found.hosts:
        if (pools := storage.choose(request, host)) is not None:
            return explanations.of_choice(request, found, host, pools)
    return None
