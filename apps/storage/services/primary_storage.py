"""Primary storage as operators see it: pools are added, changed, switched off and deleted."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from apps.core import secret
from apps.core.errors import InvalidParameter, ResourceInUse, ResourceUnavailable
from apps.core.models import Detail
from apps.core.retry import atomically
from apps.hypervisors.base import PoolSpec, PoolStats
from apps.infrastructure.models import Cluster, Host, Pod, Zone
from apps.jobs import locks
from apps.storage import ports
from apps.storage.models import StoragePool, StoragePoolTag, Volume
from apps.storage.services import connecting, pool_limits, pool_urls, pools, volumes
from apps.storage.states import POOL

PROVIDER = "DefaultPrimary"
WIDE = ("KVM", "VMware", "Hyperv", "LXC", "Simulator", pools.ANY)  # whose hosts share storage across a zone
SIMULATED = PoolStats(size=1 << 40, used=0)  # what every simulated host would say
S, P, V = StoragePool.Scope, StoragePool.State, Volume.State
MOST = 500  # disks that are given up with their pool in one call
IN_MACHINES = ("Starting", "Running", "Stopping", "Migrating")


@dataclass(frozen=True)
class Place:
    """Whose hosts reach it."""

    scope: str
    zone: Zone
    hypervisor: str
    pod: Pod | None = None
    cluster: Cluster | None = None
    host: Host | None = None

    @property
    def key(self) -> str:
        rows: dict[str, Any] = {S.HOST: self.host, S.CLUSTER: self.cluster, S.ZONE: self.zone}
        return f"{self.scope.lower()}:{rows[self.scope].pk}"

    @property
    def columns(self) -> dict[str, Any]:
        rows = {"zone": self.zone, "pod": self.pod, "cluster": self.cluster, "host": self.host}
        return rows | {"scope": self.scope, "place": self.key, "hypervisor": self.hypervisor}


def place(
    *,
    zone: Zone,
    scope: str = "",
    pod: Pod | None = None,
    cluster: Cluster | None = None,
    hypervisor: str = "",
    url: str = "",
) -> Place:
    chosen = scope or (S.HOST if url.lower().startswith("file:") else S.CLUSTER)
    if chosen == S.ZONE:
        return Place(chosen, zone, _wide(hypervisor))
    if chosen == S.HOST:
        return _on_host(zone, url)
    return _in_cluster(zone, pod, cluster, hypervisor)


def _wide(hypervisor: str) -> str:
    if not hypervisor:
        raise InvalidParameter("hypervisor: say which hypervisor's hosts use the storage of a whole zone")
    if hypervisor not in WIDE:
        raise InvalidParameter(f"hypervisor: hosts of {hypervisor} do not share storage across a zone")
    return hypervisor


def _in_cluster(zone: Zone, pod: Pod | None, cluster: Cluster | None, hypervisor: str) -> Place:
    if cluster is None:
        raise InvalidParameter("clusterid: storage of the scope CLUSTER belongs to a cluster")
    if cluster.zone_id != zone.pk or (pod is not None and cluster.pod_id != pod.pk):
        raise InvalidParameter("clusterid: zone, pod and cluster do not belong together")
    if hypervisor and hypervisor != cluster.hypervisor:
        raise InvalidParameter(f"hypervisor: the hosts of cluster {cluster.name} are {cluster.hypervisor}")
    return Place(S.CLUSTER, zone, cluster.hypervisor, cluster.pod, cluster)


def _on_host(zone: Zone, url: str) -> Place:
    """The host stands in the URL: its id, its name or its address."""
    if not zone.local_storage_enabled:
        raise InvalidParameter(f"scope: zone {zone.name} has no local storage; see updateZone")
    found = pool_urls.location(url, "")
    if not found.kind.is_local:
        raise InvalidParameter("scope: local storage is a directory of a host, file://host/path")
    named = Q(name__iexact=found.host) | Q(ip=found.host)
    if is_uuid(found.host):
        named |= Q(uuid=found.host)
    host = Host.all_tenants.filter(named, zone=zone, type="Routing").order_by("pk").first()
    if host is None:
        raise InvalidParameter(f"url: there is no host {found.host} in zone {zone.name}")
    return Place(S.HOST, zone, host.hypervisor, host.pod, host.cluster, host)


def is_uuid(text: str) -> bool:
    try:
        return bool(uuid.UUID(text))
    except ValueError:
        return False


@dataclass(frozen=True)
class Found:
    """A pool that is not a row yet, and what a host says about it."""

    uuid: str
    place: Place
    location: pool_urls.Location
    stats: PoolStats


def look(*, where: Place, url: str) -> Found:
    """Ask a host whether the storage is there. Outside any transaction."""
    location, key = pool_urls.location(url, where.hypervisor), str(uuid.uuid4())
    if location.kind.is_local != (where.scope == S.HOST):
        raise InvalidParameter(f"url: storage of the kind {location.kind.type} has the scope HOST, and only that")
    _check_new(location.identity(where.key), url)
    spec = PoolSpec(key, location.kind.type, pool_urls.full(location.url, location.secret))
    stats = connecting.measure(StoragePool(**where.columns), spec)
    if stats is None and where.hypervisor != "Simulator":
        raise ResourceUnavailable("zoneid: no host that could use the storage is up; add hosts first")
    return Found(key, where, location, stats or SIMULATED)


def _check_new(identity: str, url: str) -> None:
    if there := StoragePool.all_tenants.filter(identity=identity).first():
        raise InvalidParameter(f"url: this is the storage of pool {there.name} already")


@atomically
def add(
    *,
    found: Found,
    name: str,
    tags: Iterable[str] = (),
    capacity_bytes: int | None = None,
    details: dict[str, str] | None = None,
    **more: Any,
) -> StoragePool:
    _check_name(name)
    _check_size(capacity_bytes, found.stats)
    at, location = found.place, found.location
    pool = StoragePool(
        uuid=found.uuid,
        name=name,
        url=location.url,
        secret=secret.seal(location.secret) if location.secret else "",
        identity=location.identity(at.key),
        type=location.kind.type,
        ip=location.host,
        path=location.path,
        stated_bytes=capacity_bytes,
        size_bytes=capacity_bytes or found.stats.size,
        stored_bytes=found.stats.used,
        **at.columns,
        **more,
    )
    _save(pool)
    set_tags(pool, tags)
    _write_details(pool, details or {})
    pool_limits.refresh(Q(pk=pool.pk))
    return pool


def _save(pool: StoragePool, **how: Any) -> None:
    try:
        with transaction.atomic():
            pool.save(**how)
    except IntegrityError:
        raise InvalidParameter("url: this is the storage of another pool already") from None


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidParameter("name: primary storage has a name")


def _check_size(stated: int | None, stats: PoolStats) -> None:
    if stated is not None and stated > stats.size:
        raise InvalidParameter(f"capacitybytes: the storage has {stats.size} bytes, not {stated}")


def set_tags(pool: StoragePool, tags: Iterable[str]) -> None:
    given = sorted({tag.strip() for tag in tags if tag.strip()})
    if long := [tag for tag in given if len(tag) > 255]:
        raise InvalidParameter(f"tags: {long[0][:20]}... is longer than 255 characters")
    StoragePoolTag.objects.filter(pool=pool).delete()
    StoragePoolTag.objects.bulk_create([StoragePoolTag(pool=pool, tag=tag) for tag in given])


def _write_details(pool: StoragePool, details: dict[str, str]) -> None:
    if any(not name or len(name) > 255 for name in details):
        raise InvalidParameter("details: a detail has a name of 1 to 255 characters")
    kind = pool._meta.label_lower
    Detail.objects.filter(kind=kind, row_id=pool.pk, name__in=details).delete()
    Detail.objects.bulk_create(Detail(kind=kind, row_id=pool.pk, name=n, value=v) for n, v in details.items())


@atomically
def update(
    *,
    pool: StoragePool,
    is_enabled: bool | None = None,
    tags: Iterable[str] | None = None,
    capacity_bytes: int | None = None,
    details: dict[str, str] | None = None,
    **changes: Any,
) -> StoragePool:
    locks.hold(pool)
    if "name" in changes:
        _check_name(changes["name"])
    for name, value in changes.items():
        setattr(pool, name, value)
    if changes:
        pool.save(update_fields=list(changes))
    if tags is not None:
        set_tags(pool, tags)
    _write_details(pool, details or {})
    if capacity_bytes is not None:
        _state_size(pool, capacity_bytes)
    if is_enabled is not None:
        _switch(pool, is_enabled)
    return pool


def _state_size(pool: StoragePool, size: int) -> None:
    if pool.stated_bytes is None:
        _check_size(size, PoolStats(pool.size_bytes, 0))
    pool.stated_bytes = pool.size_bytes = size
    pool.save(update_fields=["stated_bytes", "size_bytes"])
    pool_limits.refresh(Q(pk=pool.pk))
    if StoragePool.all_tenants.filter(pk=pool.pk, used_bytes__gt=F("capacity_bytes")).exists():
        raise InvalidParameter(f"capacitybytes: volumes of pool {pool.name} are promised more than {size} bytes give")


def _switch(pool: StoragePool, is_enabled: bool) -> None:
    if pool.state != (P.UP if is_enabled else P.DISABLED):
        POOL.fire(pool, "EnableRequested" if is_enabled else "DisableRequested")


@atomically
def begin_maintenance(pool: StoragePool) -> None:
    if not POOL.allows(pool, "MaintenanceRequested"):
        raise InvalidParameter(f"id: pool {pool.name} is {pool.state}: maintenance begins when it is Up")
    POOL.fire(pool, "MaintenanceRequested")


def is_in_use(pool: StoragePool) -> bool:
    """Does a machine run, or begin to, with a disk on it?"""
    return Volume.all_tenants.filter(pool=pool, attachment__vm__state__in=IN_MACHINES).exists()


def is_worked_on(pool: StoragePool) -> bool:
    """Is a disk there being made, attached or resized?"""
    return Volume.all_tenants.filter(pool=pool, state__in=volumes.UNSETTLED).exists()


@atomically
def end_maintenance(pool: StoragePool) -> StoragePool:
    if not POOL.allows(pool, "CancelRequested"):
        raise InvalidParameter(f"id: pool {pool.name} is {pool.state}, not in maintenance")
    POOL.fire(pool, "CancelRequested")
    for start in ports.start_machines.all():
        start(pool)
    return pool


@atomically
def delete(*, pool: StoragePool, forced: bool) -> None:
    """The storage itself stays as it is; with it what is left there of volumes that were destroyed, if ``forced``."""
    locks.hold(pool)
    if not POOL.allows(pool, "DeleteRequested"):
        raise InvalidParameter(f"id: pool {pool.name} is {pool.state}: put it into maintenance first")
    there = Volume.including_removed.filter(pool=pool)
    if living := there.exclude(state__in=(V.DESTROY, V.EXPUNGING)).count():
        raise ResourceInUse(f"id: {living} volumes lie on pool {pool.name}")
    left = there.count()
    if left > (MOST if forced else 0):
        text = f"id: disks of {left} destroyed volumes lie on pool {pool.name}: wait for the cleanup"
        raise ResourceInUse(text if forced else f"{text}, or say forced")
    for volume in there.select_related("owner__domain").order_by("pk"):
        volumes.abandon(volume)
    StoragePoolTag.objects.filter(pool=pool).delete()
    POOL.fire(pool, "DeleteRequested")
    pool.mark_removed()


@atomically
def change_scope(*, pool: StoragePool, scope: str, cluster: Cluster | None) -> None:
    """Of a disabled pool, between one cluster and the whole zone."""
    if pool.state != P.DISABLED:
        raise InvalidParameter(f"id: pool {pool.name} is {pool.state}: disable it first")
    if pool.scope == S.HOST or pool.scope == scope:
        raise InvalidParameter(f"scope: pool {pool.name} has the scope {pool.scope}, which cannot become {scope}")
    if scope == S.ZONE:
        at = Place(S.ZONE, pool.zone, _wide(pool.hypervisor))
    else:
        at = _in_cluster(pool.zone, None, cluster, "" if pool.hypervisor == pools.ANY else pool.hypervisor)
        _check_leaves(pool, at)
    identity = pool_urls.location(pool.url, at.hypervisor).identity(at.key)
    changed = at.columns | {"identity": identity}
    for name, value in changed.items():
        setattr(pool, name, value)
    _save(pool, update_fields=list(changed))


def _check_leaves(pool: StoragePool, at: Place) -> None:
    """Machines of other clusters would lose their disks."""
    machines = Volume.all_tenants.filter(pool=pool).exclude(attachment=None)
    elsewhere = Q(attachment__vm__host__isnull=False) & ~Q(attachment__vm__host__cluster=at.cluster)
    last = Q(attachment__vm__last_host__isnull=False) & ~Q(attachment__vm__last_host__cluster=at.cluster)
    if count := machines.filter(elsewhere | last).count():
        raise ResourceInUse(f"scope: {count} volumes of pool {pool.name} are in instances of other clusters")


def in_use(row: Any) -> str:
    """For who deletes places. A host is emptied of machines, not of the disks on it: that goes on in maintenance."""
    name = row._meta.model_name
    if name not in ("zone", "pod", "cluster", "host") or getattr(row, "resource_state", "") == "PrepareForMaintenance":
        return ""
    there = StoragePool.all_tenants.filter(**{name: row}).exists()
    return "primary storage" if there else ""
