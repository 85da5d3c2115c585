"""Clusters and hosts."""

from typing import Any

from django.db.models import F
from django.utils import timezone

from apps.core import secret
from apps.core.errors import InvalidParameter, ResourceInUse, ResourceUnavailable
from apps.core.retry import atomically
from apps.hypervisors.base import HostAddress, HostFacts
from apps.hypervisors.errors import DriverError
from apps.infrastructure import drivers, ports
from apps.infrastructure.models import Allocation, Cluster, Host, HostLoad, HostTag, Pod, Zone
from apps.infrastructure.services.places import hold, save_named
from apps.infrastructure.states import HOST

HYPERVISORS = ("KVM", "VMware", "XenServer", "Hyperv", "BareMetal", "Ovm", "LXC", "Ovm3", "External", "Simulator")
MIB = 1 << 20
LARGEST = 10_000  # hosts of one call
ANSWER_WITHIN = 30.0


@atomically
def create_cluster(*, zone: Zone, pod: Pod, name: str, hypervisor: str, **values: Any) -> Cluster:
    if pod.zone_id != zone.pk:
        raise InvalidParameter("podid: the pod is not in that zone")
    hold(pod)
    cluster = Cluster(zone=zone, pod=pod, name=name, hypervisor=hypervisor, **values)
    save_named(cluster, "clustername")
    return cluster


@atomically
def update_cluster(*, cluster: Cluster, **values: Any) -> Cluster:
    hypervisor = values.get("hypervisor")
    if hypervisor and hypervisor != cluster.hypervisor and Host.all_tenants.filter(cluster=cluster).exists():
        raise InvalidParameter("hypervisor: the cluster has hosts; its hypervisor stays")
    for name, value in values.items():
        setattr(cluster, name, value)
    if values:
        save_named(cluster, "clustername", update_fields=list(values))
    return cluster


@atomically
def named_cluster(*, zone: Zone, pod: Pod, name: str, hypervisor: str) -> Cluster:
    """The cluster of the pod with this name; made for its first host."""
    found = Cluster.all_tenants.filter(pod=pod, name=name).first()
    return found or create_cluster(zone=zone, pod=pod, name=name, hypervisor=hypervisor)


@atomically
def set_overcommit(*, cluster: Cluster, cpu: float | None = None, memory: float | None = None) -> None:
    """What hosts may promise is their size times the ratio: all of a cluster in one statement."""
    if cpu is not None:
        cluster.cpu_overcommit = cpu
        size = F("cpu_cores") * F("cpu_speed_mhz") * cpu
        Host.all_tenants.filter(cluster=cluster).update(cpu_mhz_capacity=size)
    if memory is not None:
        cluster.memory_overcommit = memory
        Host.all_tenants.filter(cluster=cluster).update(memory_mib_capacity=F("memory_bytes") / MIB * memory)
    cluster.save(update_fields=["cpu_overcommit", "memory_overcommit"])


@atomically
def delete_cluster(*, cluster: Cluster) -> None:
    hold(cluster)
    if Host.all_tenants.filter(cluster=cluster).exists():
        raise InvalidParameter(f"id: cluster {cluster.name} still has hosts")
    ports.check_unused(cluster)
    cluster.mark_removed()


def join(*, hypervisor: str, zone: Zone, url: str, username: str = "", password: str = "") -> drivers.Joined:
    """Make a host ours, where that takes more than asking what it is. Outside any transaction: it may take its time."""
    made = drivers.JOINS.get(hypervisor)
    if made is not None:
        return made(zone=zone, url=url, username=username, password=password)
    return drivers.Joined("", ask(hypervisor=hypervisor, url=url))


def ask(*, hypervisor: str, url: str) -> HostFacts:
    """What a host says of itself."""
    connect = drivers.DRIVERS.get(hypervisor)
    if connect is None:
        raise InvalidParameter(f"hypervisor: there is no driver for {hypervisor} in this installation")
    try:
        return connect(HostAddress(0, url, url)).host.facts(within=ANSWER_WITHIN)
    except DriverError as error:
        raise ResourceUnavailable(f"url: the host at {url} does not answer: {error}") from error


@atomically
def add(
    *,
    zone: Zone,
    pod: Pod,
    cluster: Cluster,
    url: str,
    joined: drivers.Joined,
    username: str = "",
    password: str = "",
    tags: list[str] | None = None,
    allocation_state: str = Allocation.ENABLED,
) -> list[Host]:
    """The host at the URL, or all of those that it stands for, in a few statements."""
    facts = joined.facts
    check_place(zone, pod, cluster)
    if facts.hosts > LARGEST:
        raise InvalidParameter(f"url: it stands for {facts.hosts} hosts; at most {LARGEST} are added by one call")
    hold(cluster)
    name, sealed, now = name_of(url), secret.seal(password) if password else "", timezone.now()
    rows = [
        Host(
            zone=zone,
            pod=pod,
            cluster=cluster,
            name=name if facts.hosts == 1 else f"{name}-{number}",
            hypervisor=cluster.hypervisor,
            hypervisor_version=facts.version,
            url=url,
            username=username,
            password=sealed,
            resource_state="Disabled" if allocation_state == Allocation.DISABLED else "Enabled",
            status=Host.Status.UP,
            last_pinged=now,
            **({"uuid": joined.uuid} if joined.uuid else {}),
            **_size(facts, cluster),
        )
        for number in range(1, facts.hosts + 1)
    ]
    Host.including_removed.bulk_create(rows, batch_size=500)
    HostTag.objects.bulk_create([HostTag(host=row, tag=tag) for row in rows for tag in sorted(set(tags or ()))])
    return rows


def check_place(zone: Zone, pod: Pod, cluster: Cluster | None) -> None:
    if pod.zone_id != zone.pk or (cluster is not None and cluster.pod_id != pod.pk):
        raise InvalidParameter("clusterid: zone, pod and cluster do not belong together")


def _size(facts: HostFacts, cluster: Cluster) -> dict[str, int]:
    return {
        "cpu_sockets": facts.cpu_sockets,
        "cpu_cores": facts.cpu_cores,
        "cpu_speed_mhz": facts.cpu_speed_mhz,
        "memory_bytes": facts.memory_bytes,
        "cpu_mhz_capacity": int(facts.cpu_cores * facts.cpu_speed_mhz * cluster.cpu_overcommit),
        "memory_mib_capacity": int(facts.memory_bytes // MIB * cluster.memory_overcommit),
    }


def name_of(url: str) -> str:
    """The host name of the URL; of simulated ones, which all have the same, the whole path but for their size."""
    rest = url.partition("://")[2] or url
    name, _, path = rest.partition("/")
    words = [word for word in path.split("/") if word and "=" not in word]
    return ("-".join(words) if name.startswith("sim") and words else name)[:255] or url[:255]


@atomically
def set_tags(*, host: Host, tags: list[str]) -> None:
    HostTag.objects.filter(host=host).delete()
    HostTag.objects.bulk_create([HostTag(host=host, tag=tag) for tag in sorted(set(tags))])


@atomically
def update(*, host: Host, tags: list[str] | None = None, event: str = "", **values: Any) -> Host:
    for name, value in values.items():
        setattr(host, name, value)
    if values:
        host.save(update_fields=list(values))
    if tags is not None:
        set_tags(host=host, tags=tags)
    if event:
        HOST.fire(host, event)
    return host


@atomically
def set_password(*, hosts: Any, username: str, password: str) -> None:
    if not hosts.update(username=username, password=secret.seal(password)):
        raise InvalidParameter("hostid or clusterid must say whose password changes")


def is_empty(host: Host) -> bool:
    return not any(answer(host) for answer in ports.in_use.all())


@atomically
def delete(*, host: Host, forced: bool) -> None:
    """In maintenance or disabled and empty; ``forced`` waives the first, never the second."""
    if host.resource_state not in ("Maintenance", "Disabled") and not forced:
        raise InvalidParameter(f"id: host {host.name} is {host.resource_state}; put it into maintenance, or say forced")
    # Who takes a place there writes this row too: it was first and is seen here, or finds no host any more.
    if not Host.all_tenants.filter(pk=host.pk, guests=0).kernel_update(guests=0):
        raise ResourceInUse(f"id: machines hold capacity of host {host.name}")
    ports.check_unused(host)
    HostTag.objects.filter(host=host).delete()
    HostLoad.objects.filter(host=host).delete()
    host.mark_removed()
    for answer in ports.host_removed.all():
        answer(host)


def reconnect(host: Host) -> Host:
    """Ask the host what it is; Up if it answers, Disconnected if not."""
    try:
        facts = drivers.driver_for(host).host.facts(within=ANSWER_WITHIN)
    except DriverError as error:
        _seen(host, Host.Status.DISCONNECTED, None)
        raise ResourceUnavailable(f"host {host.name} does not answer") from error
    _seen(host, Host.Status.UP, facts)
    return host


@atomically
def _seen(host: Host, status: str, facts: HostFacts | None) -> None:
    now = timezone.now()
    values: dict[str, Any] = {"status": status}
    values |= {"disconnected": now} if facts is None else {"last_pinged": now, "hypervisor_version": facts.version}
    Host.all_tenants.filter(pk=host.pk).update(**values)


@atomically
def begin_maintenance(*, host: Host) -> None:
    HOST.fire(host, "AdminAskMaintenance")


@atomically
def end_maintenance(*, host: Host) -> None:
    HOST.fire(host, "InternalEnterMaintenance")


@atomically
def cancel_maintenance(*, host: Host) -> Host:
    return HOST.fire(host, "AdminCancelMaintenance")
