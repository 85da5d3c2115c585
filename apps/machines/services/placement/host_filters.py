"""Why a host may not take a machine. Each filter is a condition of the one query that finds the candidates; their order
is that of explanations, and cheap ones stand before those that look at other tables.
"""

from django.db.models import Case, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, GreaterThan

from apps.configuration import models as configuration
from apps.core.settings import Setting
from apps.infrastructure.models import Allocation, Cluster, Host, HostTag, Pod
from apps.machines.services.placement import storage
from apps.machines.services.placement.contracts import HostFilter, added, has, has_no
from apps.machines.services.placement.requests import Request

NONE = Q(pk__in=())
NO_CAPACITY = "zone {zone_name} has not enough capacity for an instance of this size now"
NO_DISKS = "disks of the instance cannot be reached now"
NO_STORAGE = "zone {zone_name} has not enough storage for the disks of the instance now"
NO_PLACE_IN_GROUP = "the affinity groups of the instance leave no place for it in zone {zone_name} now"
CPU_SHARE = Setting(
    "cluster.cpu.allocated.capacity.disablethreshold",
    0.85,
    scope="cluster",
    minimum=0,
    maximum=1,
    help_text="A cluster gets no more machines when more than this share of its CPU is allocated.",
)
MEMORY_SHARE = Setting(
    "cluster.memory.allocated.capacity.disablethreshold",
    0.85,
    scope="cluster",
    minimum=0,
    maximum=1,
    help_text="A cluster gets no more machines when more than this share of its memory is allocated.",
)
HAS_SHARES = Setting(
    "cluster.threshold.enabled",
    True,
    help_text="Whether the thresholds keep machines from clusters that are past them.",
)


def zone(request: Request) -> Q | None:
    return None if request.is_zone_open else NONE


def wish(request: Request) -> Q | None:
    columns = {"host": "pk", "cluster": "cluster", "pod": "pod"}
    return Q(**{columns[name]: key for name, key in request.wish.items()}) if request.wish else None


def avoided(request: Request) -> Q | None:
    return ~Q(pk__in=request.avoid) if request.avoid else None


def hypervisor(request: Request) -> Q:
    return Q(hypervisor=request.hypervisor)


def status(request: Request) -> Q:
    return Q(status=Host.Status.UP)


def resource_state(request: Request) -> Q:
    return Q(resource_state=Host.ResourceState.ENABLED)


def tags(request: Request) -> Q | None:
    conditions = Q()
    for tag in request.host_tags:
        conditions &= has(HostTag.objects.filter(host=OuterRef("pk"), tag=tag))
    return conditions or None


def together(request: Request) -> Q | None:
    return None if request.together is None else Q(pk__in=request.together)


def apart(request: Request) -> Q | None:
    return ~Q(pk__in=request.apart) if request.apart else None


def cores(request: Request) -> Q:
    return Q(cpu_cores__gte=request.cpus, cpu_speed_mhz__gte=request.speed_mhz)


def guests(request: Request) -> Q:
    return Q(guests__lt=F("max_guests"))


def cpu(request: Request) -> Q:
    return Q(cpu_mhz_used__lte=F("cpu_mhz_capacity") - request.cpu_mhz)


def memory(request: Request) -> Q:
    return Q(memory_mib_used__lte=F("memory_mib_capacity") - request.memory_mib)


def arch(request: Request) -> Q | None:
    if not request.arch:
        return None
    return has_no(Cluster.all_tenants.filter(pk=OuterRef("cluster_id")).exclude(arch=request.arch))


def allocation(request: Request) -> Q:
    places = ((Cluster, "cluster_id"), (Pod, "pod_id"))
    cluster, pod = (
        has_no(model.all_tenants.filter(pk=OuterRef(column)).exclude(allocation_state=Allocation.ENABLED))
        for model, column in places
    )
    return cluster & pod


def storage_up(request: Request) -> Q | None:
    return None if request.is_storage_up else NONE


def reach(request: Request) -> Q | None:
    """A pool of a cluster binds the machine to the cluster, a local one to the host, one of the zone to nothing."""
    conditions = Q()
    for cluster in sorted(request.clusters):
        conditions &= Q(cluster=cluster)
    for host in sorted(request.hosts):
        conditions &= Q(pk=host)
    return conditions or None


def disks(request: Request) -> Q | None:
    """A pool for each disk that has none yet; whether one pool has room for two of them shows when it is taken."""
    conditions = Q()
    for disk in request.disks:
        conditions &= storage.within_reach(request, disk) or Q()
    return conditions or None


def thresholds(request: Request) -> Q | None:
    """With this machine no more than the share of the cluster: counted over the hosts that can take machines."""
    if not HAS_SHARES.value():
        return None
    own = configuration.Value.objects.filter(name__in=(CPU_SHARE.name, MEMORY_SHARE.name), kind="cluster")
    shares = list(own.values_list("name", "row_id", "value"))
    past = _past("cpu_mhz", request.cpu_mhz, CPU_SHARE, shares)
    past |= _past("memory_mib", request.memory_mib, MEMORY_SHARE, shares)
    hosts = Host.all_tenants.filter(cluster=OuterRef("cluster_id"), status=Host.Status.UP)
    sums = hosts.filter(resource_state=Host.ResourceState.ENABLED).order_by().values("cluster")
    found = sums.annotate(past=Case(When(past, then=1), default=0)).values("past")
    return Q(Exact(Coalesce(Subquery(found), 0), 0))


def _past(kind: str, wanted: int, setting: Setting[float], shares: list[tuple[str, int, str]]) -> Q:
    own = [(key, setting.read(text)) for name, key, text in shares if name == setting.name]
    cases = [When(cluster=key, then=Value(share)) for key, share in own]
    share = Case(*cases, default=Value(setting.value())) if cases else Value(setting.value())
    return Q(GreaterThan(Sum(f"{kind}_used") + wanted, Sum(f"{kind}_capacity") * share))


def size(request: Request) -> str:
    return f"{request.cpus} x {request.speed_mhz} MHz"


BUILT_IN = (
    HostFilter("zone", zone, lambda request: "in a zone that is disabled"),
    HostFilter("wish", wish, lambda request: f"not in the {' and '.join(request.wish)} that was asked for"),
    HostFilter("avoid", avoided, lambda request: "tried before"),
    HostFilter("storage state", storage_up, lambda request: "cut off from disks in maintenance", NO_DISKS),
    HostFilter("reach", reach, lambda request: "out of reach of its disks"),
    HostFilter("hypervisor", hypervisor, lambda request: f"not {request.hypervisor}"),
    HostFilter("status", status, lambda request: "not Up"),
    HostFilter("resource state", resource_state, lambda request: "not Enabled"),
    HostFilter("tags", tags, lambda request: f"without host tags {', '.join(request.host_tags)}"),
    HostFilter("affinity", together, lambda request: "not where its affinity group is", NO_PLACE_IN_GROUP),
    HostFilter("anti-affinity", apart, lambda request: "with another of its anti-affinity group", NO_PLACE_IN_GROUP),
    HostFilter("cores", cores, lambda request: f"smaller than {size(request)}", NO_CAPACITY),
    HostFilter("guests", guests, lambda request: "with as many machines as they may have", NO_CAPACITY),
    HostFilter("cpu", cpu, lambda request: f"with less than {request.cpu_mhz} MHz left", NO_CAPACITY),
    HostFilter("memory", memory, lambda request: f"with less than {request.memory_mib} MiB left", NO_CAPACITY),
    HostFilter("architecture", arch, lambda request: f"not {request.arch}"),
    HostFilter("allocation", allocation, lambda request: "in a pod or cluster that is disabled"),
    HostFilter("storage", disks, lambda request: "out of reach of storage for its new disks", NO_STORAGE),
    HostFilter("thresholds", thresholds, lambda request: "in a cluster past its threshold", NO_CAPACITY),
)


def chain() -> tuple[HostFilter, ...]:
    return BUILT_IN + added("host_filters")
