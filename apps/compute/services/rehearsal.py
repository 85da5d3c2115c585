"""A deployment that stops where it would take something: are all parameters possible, and where would it run?"""

from typing import Any

from django.db import transaction

from apps.compute.services import instances, places
from apps.compute.services.orders import Order, Wish
from apps.core.retry import atomically


@atomically
def plan(order: Order, wish: Wish) -> dict[str, Any]:
    """Limits and addresses too are asked for, and given back by taking back the transaction's inner part."""
    inner = transaction.atomic()
    with inner:
        vm = instances.allocate(order)
        wish.check(vm)
        found = places.plan(vm, wish.keys())
        transaction.set_rollback(True)
    return found


def answer(order: Order, wish: Wish, by_root: bool) -> dict[str, Any]:
    """Tenants hear whether there is room; administrators hear where, and what fell out why."""
    found = plan(order, wish)
    told = {"dryrun": True, "fits": bool(found["hosts"]), "zoneid": str(order.zone.uuid)}
    return {"virtualmachine": told | ({"plan": found} if by_root else {})}
