"""Which part of the zone is looked at first."""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Count, Q

from apps.core.errors import ResourceUnavailable
from apps.core.settings import Setting
from apps.machines.models import Reservation
from apps.machines.services.placement.contracts import Planner, added, names
from apps.machines.services.placement.requests import Request


def everywhere(request: Request) -> Iterable[Q]:
    return (Q(),)


def away_from_the_owner(request: Request) -> Iterable[Q]:
    """Clusters without a machine of the account, then those with one, with two, and so on."""
    by_number = defaultdict(list)
    for cluster, number in _machines(request, "cluster").items():
        by_number[number].append(cluster)
    yield ~Q(cluster__in=sorted(cluster for clusters in by_number.values() for cluster in clusters))
    for _, clusters in sorted(by_number.items()):
        yield Q(cluster__in=sorted(clusters))


def close_to_the_owner(request: Request) -> Iterable[Q]:
    """The pod with the most machines of the account, then the next, then the pods that have none."""
    pods = _machines(request, "pod")
    for pod in sorted(pods, key=lambda each: (-pods[each], each)):
        yield Q(pod=pod)
    yield ~Q(pod__in=sorted(pods))


def _machines(request: Request, place: str) -> dict[int, int]:
    held = Reservation.objects.filter(vm__owner=request.owner, vm__kind="User", host__zone=request.zone)
    counted = held.exclude(**{f"host__{place}": None}).values_list(f"host__{place}").annotate(count=Count("pk"))
    return dict(counted.order_by())


BUILT_IN = (
    Planner("FirstFitPlanner", everywhere),
    Planner("UserDispersingPlanner", away_from_the_owner),
    Planner("UserConcentratedPodPlanner", close_to_the_owner, wide=False),
)
NAMES = (*(each.name for each in BUILT_IN), *names("planners"))
DEFAULT = Setting(
    "vm.deployment.planner",
    "FirstFitPlanner",
    choices=NAMES,
    help_text="How places are chosen where the offering names no planner.",
)


def chosen(request: Request) -> Planner:
    name = request.planner or DEFAULT.value()
    planner = next((each for each in BUILT_IN + added("planners") if each.name == name), None)
    if planner is None:
        raise ResourceUnavailable(f"deployment planner {name} of the offering is not installed")
    return planner
