from itertools import count

import pytest

from apps.configuration.store import STORE
from apps.infrastructure.models import Cluster, Host, HostTag, Pod
from apps.machines.models import Attachment
from apps.machines.services.placement import requests
from apps.machines.services.placement.choosing import Search
from apps.storage.models import StoragePool, StoragePoolTag, Volume

GIB = 1 << 30
ENDS = {"gateway": "172.16.0.1", "netmask": "255.255.0.0", "start_ip": "172.16.0.2", "end_ip": "172.16.0.9"}


class Park:
    """Hosts of 8 GHz and 8 GiB in clusters in pods, pools of 100 GiB, machines of 1 GHz and 1 GiB with a disk of 10."""

    def __init__(self, make):
        self.make, self.zone, self.number = make, make.zone(), count(1)
        self.owner = make.account()

    def set(self, name, value, cluster=None):
        STORE.store(name, value, **({"kind": "cluster", "row_id": cluster.pk} if cluster else {}))

    def pod(self, **kw):
        return saved(Pod(zone=self.zone, name=f"p{next(self.number)}", **ENDS, **kw))

    def cluster(self, pod=None, **kw):
        pod = pod or Pod.all_tenants.first() or self.pod()
        return saved(Cluster(zone=self.zone, pod=pod, name=f"c{next(self.number)}", hypervisor="Fake", **kw))

    def host(self, name, cluster=None, tags=(), **kw):
        cluster = cluster or Cluster.all_tenants.first() or self.cluster()
        size = {"cpu_mhz_capacity": 8000, "memory_mib_capacity": 8192, "cpu_cores": 4, "cpu_speed_mhz": 2000}
        row = saved(
            Host(name=name, zone=self.zone, pod=cluster.pod, cluster=cluster, **{"hypervisor": "Fake", **size, **kw})
        )
        HostTag.objects.bulk_create(HostTag(host=row, tag=tag) for tag in tags)
        return Host.all_tenants.get(pk=row.pk)

    def pool(self, name, cluster=None, host=None, tags=(), gib=100, **kw):
        scope = "HOST" if host else "CLUSTER" if cluster else "ZONE"
        where = {"cluster": host.cluster if host else cluster, "host": host, "capacity_bytes": gib * GIB}
        row = self.make.pool(name, scope=scope, **where, **kw)
        StoragePoolTag.objects.bulk_create(StoragePoolTag(pool=row, tag=tag) for tag in tags)
        return row

    def machine(self, owner=None, offering=None, disks=(10,), **kw):
        size = {"cpus": 1, "speed_mhz": 1000, "memory_mib": 1024}
        offering = self.make.offering(**(offering or {}))
        vm = self.make.vm(owner or self.owner, **{"offering": offering, **size, **kw})
        for gib in disks:
            self.disk(vm, gib)
        return vm

    def disk(self, vm, gib=10, **kw):
        kind = "DATADISK" if vm.attachments.exists() else "ROOT"
        volume = self.make.volume(vm.owner, **{"size": gib * GIB, "kind": kind, **kw})
        Attachment.objects.create(vm=vm, volume=volume, device_id=vm.attachments.count())
        return volume

    def request(self, vm, **kw):
        return requests.of(vm, **kw)

    def fit(self, vm, **kw):
        """Names of the hosts where it could go, the first to be tried first."""
        return [host.name for host in Search(requests.of(vm, **kw)).candidates().hosts]


def saved(row):
    row.save()
    return row


@pytest.fixture
def park(make, db):
    STORE.forget()
    park = Park(make)
    park.set("vm.allocation.algorithm", "firstfit")
    park.set("volume.allocation.algorithm", "firstfit")
    yield park
    STORE.forget()


def books():
    """What is promised: of hosts (guests, MHz, MiB), and of pools GiB, by name, where it is anything."""
    hosts = Host.all_tenants.exclude(guests=0, cpu_mhz_used=0, memory_mib_used=0)
    pools = StoragePool.all_tenants.exclude(used_bytes=0)
    return (
        {h.name: (h.guests, h.cpu_mhz_used, h.memory_mib_used) for h in hosts},
        {pool.name: pool.used_bytes // GIB for pool in pools},
    )


def pools_of(vm):
    return list(
        Volume.all_tenants.filter(attachment__vm=vm)
        .order_by("attachment__device_id")
        .values_list("pool__name", flat=True)
    )
