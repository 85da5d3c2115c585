"""A deployment that stops where it would take something: are all parameters possible, and where would it run?"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import transaction

from apps.compute.services import instances, places
from apps.compute.services.orders import Order, Wish
from apps.core.errors import GENERIC
from apps.core.retry import atomically
from apps.machines.models import VirtualMachine

R = TypeVar("R")


def plan(order: Order, wish: Wish) -> None:
    """Everything but the place, which may be another one when the job comes to it."""
    _within(order, wish, lambda vm: None)


@atomically
def _within(order: Order, wish: Wish, look: Callable[[VirtualMachine], R]) -> R:
    """Limits and addresses too are asked for, and given back by taking back the transaction's inner part."""
    inner = transaction.atomic()
    with inner:
        vm = instances.allocate(order)
        wish.check(vm)
        found = look(vm)
        transaction.set_rollback(True)
    return found


def answer(order: Order, wish: Wish, by_root: bool) -> dict[str, Any]:
    """Tenants hear whether there is room, and in their words why not; administrators where, and what fell out why."""
    found = _within(order, wish, lambda vm: places.plan(vm, wish.keys(), is_counted=by_root))
    told: dict[str, Any] = {"dryrun": True, "fits": found.fits, "zoneid": str(order.zone.uuid)}
    if by_root:
        told["plan"] = found.details
    elif not found.fits:
        told["reason"] = found.tenant or GENERIC[533]
    return {"virtualmachine": told}
