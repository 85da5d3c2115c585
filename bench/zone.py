"""A zone for measurements of placement that grows. Its hosts are used, on average half: the quarter that has the tag
ssd, and the 200th that has the tag gpu, much more than the rest, so that all the emptier ones are in the way of who
wants a tag. Clusters of 20 hosts with a pool of their own, pods of 500.
"""

from typing import Any

from django.db import connection

from apps.accounts.models import Account
from apps.core.ownership import admit
from apps.infrastructure import models
from apps.infrastructure.models import Cluster, Host, HostTag, Pod
from apps.machines.models import Attachment, Reservation, VirtualMachine
from apps.machines.services import placement
from apps.offerings.models import ServiceOffering
from apps.storage.models import StoragePool, StoragePoolTag, Volume
from bench import fill

PER_CLUSTER, PER_POD = 20, 500
TAGS = {"ssd": 4, "gpu": 200}
MIB, MHZ = 131_072, 128_000
SIZE = {"cpus": 2, "speed_mhz": 1000, "memory_mib": 2048}


class Zone:
    def __init__(self) -> None:
        self.owner = Account.all_tenants.select_related("domain").get(name="admin")
        (zone := models.Zone(name="bench", allocation_state="Enabled")).save()
        (offering := ServiceOffering(name="bench", **SIZE)).save()
        self.zone, self.offering, self.size = zone, offering, 0
        self.said = {"hypervisor": "KVM"}

    def grow(self, size: int) -> None:
        fill.numbers()
        ends = {"gateway": "10.0.0.1", "netmask": "255.0.0.0", "start_ip": "10.0.0.2", "end_ip": "10.0.0.3"}
        pod = self._more(Pod, size // PER_POD, {}, "", **ends)
        of_pod = nth(Pod, PER_POD // PER_CLUSTER)
        cluster = self._more(Cluster, size // PER_CLUSTER, {"pod_id": "q.id"}, of_pod, pod_id=pod, **self.said)
        where = self.said | {"cluster_id": cluster}
        there = where | {"place": f"cluster:{cluster}"}
        full = {
            "cluster_id": "q.id",
            "place": fill.text("cluster:", "q.id"),
            "used_bytes": "((x.n * 7919) % 100) * 10737418240",
        }
        self._more(StoragePool, size // PER_CLUSTER, full, nth(Cluster, 1), **there)
        used = "(CASE WHEN x.n % 4 = 0 THEN 40 + x.n * 7919 % 25 ELSE x.n * 7919 % 57 END)"  # of 64 parts
        columns = {"pod_id": "q.pod_id", "cluster_id": "q.id", "guests": used}
        columns |= {"cpu_mhz_used": f"{MHZ // 64} * {used}", "memory_mib_used": f"{MIB // 64} * {used}"}
        wide = {"cpu_mhz_capacity": MHZ, "memory_mib_capacity": MIB, "max_guests": 100, "cpu_cores": 64, "pod_id": pod}
        self._more(Host, size, columns, nth(Cluster, PER_CLUSTER), **wide, **where)
        self._tag()
        fill.analyze(Pod, Cluster, Host, HostTag, StoragePool, StoragePoolTag)
        self.size = size

    def _more(self, model: Any, count: int, columns: dict[str, str], source: str, **values: Any) -> int:
        """Rows of a kind up to ``count``; returns the key of the first."""
        rows = model.all_tenants.filter(zone=self.zone).order_by("pk")
        if not rows.exists():
            model(zone=self.zone, name=f"{model.__name__} 0", **values).save()
        have, named = rows.count(), columns | {"name": fill.text(f"{model.__name__} ")}
        shifted = {name: sql.replace("x.n", f"(x.n + {have})") for name, sql in named.items()}
        fill.clone(rows[0], count - have, shifted, source=source.replace("x.n", f"(x.n + {have})"))
        return int(rows[0].pk)

    def _tag(self) -> None:
        HostTag.objects.all().delete()
        numbered = "(SELECT id, ROW_NUMBER() OVER (ORDER BY id) - 1 AS n FROM infrastructure_host) h"
        with connection.cursor() as cursor:
            for tag, each in TAGS.items():
                cursor.execute(
                    f"INSERT INTO infrastructure_hosttag (host_id, tag) SELECT h.id, '{tag}' FROM {numbered} "
                    f"WHERE h.n % {each} = 0"
                )

    def order(self, planner: str = "", tags: str = "") -> None:
        """What machines are ordered with from here on."""
        ServiceOffering.all_tenants.filter(pk=self.offering.pk).update(planner=planner, host_tags=tags)
        self.offering.refresh_from_db()

    def machine(self, disks: int = 1, **values: Any) -> VirtualMachine:
        given = {**SIZE, **self.said, "zone": self.zone, "offering": self.offering, "name": "vm", **values}
        vm = admit(VirtualMachine, self.owner, **given)
        for device in range(disks):
            volume = admit(Volume, self.owner, zone=self.zone, name="disk", size=10 << 30)
            Attachment.objects.create(vm=vm, volume=volume, device_id=device)
        return vm

    def settle(self, count: int) -> None:
        """The account has machines, so that planners that look at them see something."""
        for _ in range(count - Reservation.objects.count()):
            placement.reserve(self.machine())


def nth(model: Any, share: int) -> str:
    """The row that a clone belongs to, where each has ``share`` of them. Keys have gaps, so rows are numbered."""
    whole = "DIV" if connection.vendor == "mysql" else "/"
    numbered = f"SELECT *, ROW_NUMBER() OVER (ORDER BY id) - 1 AS number FROM {model._meta.db_table}"
    return f"JOIN ({numbered}) q ON q.number = x.n {whole} {share}"
