"""Books of infrastructure that nothing above keeps."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

from django.db.models import Count, F

from apps.core.audit import audit
from apps.infrastructure.models import (
    Cluster,
    Host,
    PhysicalNetwork,
    Pod,
    PodAddress,
    ServiceProvider,
    TrafficType,
    Zone,
)

PARENTS: tuple[tuple[Any, str], ...] = (
    (Pod, "zone"),
    (Cluster, "pod"),
    (Host, "cluster"),
    (PhysicalNetwork, "zone"),
    (TrafficType, "physical_network"),
    (ServiceProvider, "physical_network"),
)
NAMED: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (Zone, ("name",)),
    (Pod, ("zone", "name")),
    (Cluster, ("pod", "name")),
)


@audit("hosts: nothing promised is negative or more than there is")
def promised() -> Iterator[str]:
    hosts = Host.including_removed
    for column, total in (("memory_mib_used", "memory_mib_capacity"), ("cpu_mhz_used", "cpu_mhz_capacity")):
        wrong = hosts.filter(**{f"{column}__lt": 0}) | hosts.filter(removed=None, **{f"{column}__gt": F(total)})
        for name, used in wrong.values_list("name", column):
            yield f"host {name}: {column} is {used}"


@audit("places: each is in one that lives")
def parents() -> Iterator[str]:
    for model, parent in PARENTS:
        orphans = model.all_tenants.exclude(**{parent: None}).exclude(**{f"{parent}__removed": None})
        for uuid in orphans.values_list("uuid", flat=True):
            yield f"{model._meta.verbose_name} {uuid} is in a {parent.replace('_', ' ')} that was deleted"


@audit("places: names are unique among those that live")
def names() -> Iterator[str]:
    """The database sees to it as long as the column that it looks at says who lives."""
    for model, columns in NAMED:
        for name in model.all_tenants.filter(alive=None).values_list("name", flat=True):
            yield f"{model._meta.verbose_name} {name} lives and its name is not kept"
        same = model.all_tenants.values(*columns).annotate(n=Count("pk")).filter(n__gt=1)
        for row in same.values_list("name", "n"):
            yield f"{row[1]} of the kind {model._meta.verbose_name} have the name {row[0]}"


@audit("pods: there is a row for each address of the range")
def pod_ranges() -> Iterator[str]:
    rows = dict(PodAddress.objects.values_list("pod").annotate(n=Count("pk")))
    for key, name, start, end in Pod.all_tenants.values_list("pk", "name", "start_ip", "end_ip"):
        size = int(IPv4Address(end)) - int(IPv4Address(start)) + 1
        if rows.pop(key, 0) != size:
            yield f"pod {name} does not have a row for each of its {size} addresses"
    if rows:
        yield f"{sum(rows.values())} addresses are of pods that were deleted"
