from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet

from apps.core.callers import DOMAIN, ROOT, Access, Kind
from apps.core.commands import NO_EVENT, AsyncCommand, Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import ListCommand, MemoryListCommand
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool, List, Long, Map, Str
from apps.infrastructure.models import Cluster, Host
from apps.storage.commands.responses import StoragePoolResponse, StorageProviderResponse, StorageTagResponse
from apps.storage.flows import leave_hosts, maintenance
from apps.storage.models import StoragePool, StoragePoolTag
from apps.storage.services import pools, primary_storage

ADMIN = ROOT | Kind.RESOURCE_ADMIN
MOST = 1 << 54  # bytes of a pool: what many of them promise together is still a number that databases know
PROVIDERS = {"primary": ("DefaultPrimary",), "image": ("NFS",)}


def pool_ref() -> Ref:
    return Ref("storage.StoragePool", Access.OPERATE, source="pool", required=True, help_text="the storage pool")


@command("createStoragePool", roles=ROOT, event=NO_EVENT, response=StoragePoolResponse)
class CreateStoragePool(Command):
    """Adds primary storage, when a host has said that it can use it."""

    name = Str(required=True, help_text="the name")
    url = Str(
        required=True, secret=True, help_text="where it is: nfs://server/path, and other kinds as hosts have them"
    )
    zoneid = Ref("infrastructure.Zone", Access.OPERATE, source="zone", required=True, help_text="the zone")
    scope = Str(choices=tuple(StoragePool.Scope), help_text="CLUSTER, ZONE or HOST; CLUSTER if absent")
    clusterid = Ref("infrastructure.Cluster", Access.OPERATE, source="cluster", help_text="of the scope CLUSTER: whose")
    podid = Ref("infrastructure.Pod", Access.OPERATE, source="pod", help_text="the pod of that cluster")
    hypervisor = Str(choices=primary_storage.WIDE, help_text="of the scope ZONE: whose hosts use it; Any for all")
    provider = Str(choices=PROVIDERS["primary"], help_text="DefaultPrimary")
    capacitybytes = Long(
        source="capacity_bytes", min_value=1, max_value=MOST, help_text="bytes to use of it; all if absent"
    )
    capacityiops = Long(source="capacity_iops", min_value=1, help_text="operations a second that it can do")
    tags = Str(default="", help_text="comma separated words that offerings ask for")
    details = Map(style="merged", help_text="free details")

    def prepare(self, url: str, **values: Any) -> dict[str, Any]:
        words = ("zone", "scope", "pod", "cluster", "hypervisor")
        where = primary_storage.place(url=url, **{name: values[name] for name in words if name in values})
        return {"found": primary_storage.look(where=where, url=url)}

    def run(self, found: primary_storage.Found, name: str, tags: str, **values: Any) -> StoragePool:
        words = ("provider", "capacity_bytes", "capacity_iops", "details")
        given = {word: values[word] for word in words if word in values}
        return primary_storage.add(found=found, name=name, tags=tags.split(","), **given)


@command("updateStoragePool", roles=ROOT, event=NO_EVENT, response=StoragePoolResponse)
class UpdateStoragePool(Command):
    """Changes primary storage, or keeps new volumes from it."""

    id = pool_ref()
    name = Str(help_text="the new name")
    enabled = Bool(source="is_enabled", help_text="false: no new volumes come there; true: they do again")
    tags = List(help_text="its tags from now on; empty for none")
    capacitybytes = Long(source="capacity_bytes", min_value=1, max_value=MOST, help_text="bytes to use of it")
    capacityiops = Long(source="capacity_iops", min_value=1, help_text="operations a second that it can do")
    details = Map(style="merged", help_text="details to set; others stay")

    def run(self, pool: StoragePool, **changes: Any) -> StoragePool:
        return primary_storage.update(pool=pool, **changes)


@command("deleteStoragePool", roles=ROOT, event=NO_EVENT, response=None)
class DeleteStoragePool(Command):
    """Removes primary storage that is in maintenance and holds no volumes; what lies there is left as it is."""

    id = pool_ref()
    forced = Bool(default=False, help_text="also if volumes that were destroyed lie there; they are lost with it")

    def run(self, pool: StoragePool, forced: bool) -> None:
        primary_storage.delete(pool=pool, forced=forced)
        leave_hosts.begin_leaving(pool)


@command(
    "enableStorageMaintenance", roles=ROOT, event="MAINT.PREPARE.PS", response=StoragePoolResponse, locks=("pool",)
)
class EnableStorageMaintenance(AsyncCommand):
    """Puts primary storage into maintenance: what runs there is stopped first."""

    id = pool_ref()

    def run(self, pool: StoragePool) -> Any:
        return maintenance.begin_maintenance(pool)


@command("cancelStorageMaintenance", roles=ROOT, event="MAINT.CANCEL.PS", response=StoragePoolResponse, locks=())
class CancelStorageMaintenance(AsyncCommand):
    """Ends the maintenance of primary storage: what was stopped for it is started again."""

    id = pool_ref()

    def run(self, pool: StoragePool) -> StoragePool:
        return primary_storage.end_maintenance(pool)


@command("changeStoragePoolScope", roles=ROOT, event="CHANGE.STORAGE.POOL.SCOPE", response=None, locks=("pool",))
class ChangeStoragePoolScope(AsyncCommand):
    """Makes disabled primary storage of a cluster that of the zone, or the other way round."""

    id = pool_ref()
    scope = Str(required=True, choices=("CLUSTER", "ZONE"), help_text="CLUSTER or ZONE")
    clusterid = Ref("infrastructure.Cluster", Access.OPERATE, source="cluster", help_text="to CLUSTER: whose")

    def run(self, pool: StoragePool, scope: str, cluster: Cluster | None = None) -> dict[str, Any]:
        primary_storage.change_scope(pool=pool, scope=scope, cluster=cluster)
        return {"success": True}


@command("listStoragePools", roles=ADMIN, response=StoragePoolResponse)
class ListStoragePools(ListCommand):
    """Lists primary storage."""

    model = "storage.StoragePool"
    keyword_in = ("name", "type")
    filters = {
        "name": "name",
        "ipaddress": "ip",
        "path": "path",
        "scope": "scope",
        "status": "state",
        "clusterid": RefFilter("infrastructure.Cluster", "cluster"),
        "hostid": RefFilter("infrastructure.Host", "", source="host_key", help_text="those that this host reaches"),
        "podid": RefFilter("infrastructure.Pod", "pod"),
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
    }

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        if "host_key" not in given:
            return rows
        host = Host.including_removed.get(pk=given["host_key"])
        reached = Q(place__in=[*pools.places(host, False), *pools.places(host, True)])
        return rows.filter(reached, hypervisor__in=(host.hypervisor, pools.ANY))


@command("listStorageProviders", roles=ADMIN, response=StorageProviderResponse)
class ListStorageProviders(MemoryListCommand):
    """Lists what primary or secondary storage can be made with."""

    type = Str(required=True, help_text="primary or image")

    def entries(self, type: str, keyword: str = "") -> list[dict[str, Any]]:
        names: Sequence[str] | None = PROVIDERS.get(type.lower())
        if names is None:
            raise InvalidParameter(f"type: say {' or '.join(PROVIDERS)}, not {type}")
        return [{"name": name, "type": type.upper()} for name in names if keyword.lower() in name.lower()]


@command("listStorageTags", roles=DOMAIN | Kind.RESOURCE_ADMIN, response=StorageTagResponse)
class ListStorageTags(MemoryListCommand):
    """Lists the tags of primary storage, each once."""

    def entries(self, keyword: str = "") -> list[dict[str, Any]]:
        rows = StoragePoolTag.objects.filter(tag__icontains=keyword).order_by("tag")
        return [{"name": tag} for tag in rows.values_list("tag", flat=True).distinct()]
