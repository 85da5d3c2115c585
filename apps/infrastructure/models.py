"""Where machines live: zones, pods, clusters, hosts, and the physical networks between them."""

from typing import ClassVar

from django.db import models
from django.db.models import F
from django.db.models.functions import Least

from apps.core.reach import DomainScoped, Infrastructure, Reach
from apps.core.rows import Row
from apps.domains.models import Domain


class Region(models.Model):
    """Its id on the wire is this number, no uuid."""

    id = models.PositiveIntegerField(primary_key=True)
    name = models.CharField(max_length=255, unique=True)
    endpoint = models.CharField(max_length=255, default="")


class Allocation(models.TextChoices):
    ENABLED = "Enabled"
    DISABLED = "Disabled"


class Zone(Row):
    class NetworkType(models.TextChoices):
        BASIC = "Basic"
        ADVANCED = "Advanced"

    reach: ClassVar[Reach] = DomainScoped()

    name = models.CharField(max_length=255)
    description = models.CharField(max_length=255, default="")
    network_type = models.CharField(max_length=16, choices=NetworkType, default=NetworkType.ADVANCED)
    allocation_state = models.CharField(max_length=16, choices=Allocation, default=Allocation.DISABLED)
    dns1 = models.CharField(max_length=64, default="")
    dns2 = models.CharField(max_length=64, default="")
    internal_dns1 = models.CharField(max_length=64, default="")
    internal_dns2 = models.CharField(max_length=64, default="")
    ip6_dns1 = models.CharField(max_length=64, default="")
    ip6_dns2 = models.CharField(max_length=64, default="")
    guest_cidr = models.CharField(max_length=64, default="")
    network_domain = models.CharField(max_length=255, default="")
    dhcp_provider = models.CharField(max_length=64, default="VirtualRouter")
    security_groups_enabled = models.BooleanField(default=False)
    local_storage_enabled = models.BooleanField(default=False)
    domain = models.ForeignKey(Domain, models.PROTECT, null=True, related_name="+")  # dedicated to it and those below
    token = models.CharField(max_length=64, default="")
    sort_key = models.IntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["name", "alive"], name="one_zone_per_name")]


class Pod(Row):
    reach: ClassVar[Reach] = Infrastructure()

    zone = models.ForeignKey(Zone, models.PROTECT, related_name="pods")
    name = models.CharField(max_length=255)
    gateway = models.GenericIPAddressField()
    netmask = models.GenericIPAddressField()
    start_ip = models.GenericIPAddressField()
    end_ip = models.GenericIPAddressField()
    allocation_state = models.CharField(max_length=16, choices=Allocation, default=Allocation.ENABLED)

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["zone", "name", "alive"], name="one_pod_per_name")]


class PodRange(models.Model):
    """More management addresses of a pod, beside the range that it was made with."""

    pod = models.ForeignKey(Pod, models.PROTECT, related_name="ranges")
    start_ip = models.GenericIPAddressField()
    end_ip = models.GenericIPAddressField()
    vlan = models.CharField(max_length=64, default="")
    for_system_vms = models.BooleanField(default=False)


class PodAddress(models.Model):
    """A management address of a pod. ``taken_by`` is the lock key of the machine that has it, "" when free."""

    pod = models.ForeignKey(Pod, models.PROTECT, related_name="addresses")
    ip = models.GenericIPAddressField()
    taken_by = models.CharField(max_length=96, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pod", "ip"], name="one_row_per_pod_address")]
        indexes = [models.Index(fields=["pod", "taken_by"], name="free_pod_addresses")]


class Cluster(Row):
    reach: ClassVar[Reach] = Infrastructure()

    zone = models.ForeignKey(Zone, models.PROTECT, related_name="clusters")
    pod = models.ForeignKey(Pod, models.PROTECT, related_name="clusters")
    name = models.CharField(max_length=255)
    hypervisor = models.CharField(max_length=32)
    cluster_type = models.CharField(max_length=32, default="CloudManaged")
    allocation_state = models.CharField(max_length=16, choices=Allocation, default=Allocation.ENABLED)
    managed_state = models.CharField(max_length=32, default="Managed")
    cpu_overcommit = models.FloatField(default=1.0)
    memory_overcommit = models.FloatField(default=1.0)
    arch = models.CharField(max_length=16, default="x86_64")

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["pod", "name", "alive"], name="one_cluster_per_name")]


CANDIDATES = ("hypervisor", "status", "resource_state", "removed", "room")  # what the indexes of placement end in


class Host(Row):
    """Capacity columns are what may be promised: physical size times the over-commit ratio of the cluster. Only
    placement changes the ``used`` ones, by conditional updates. ``room`` is what is left of the scarcer of the two,
    where a MHz weighs as much as a MiB: placement finds the emptiest hosts by an index that ends in it.
    """

    class Status(models.TextChoices):
        UP = "Up"
        DOWN = "Down"
        DISCONNECTED = "Disconnected"
        ALERT = "Alert"
        REMOVED = "Removed"

    class ResourceState(models.TextChoices):
        ENABLED = "Enabled"
        DISABLED = "Disabled"
        PREPARE = "PrepareForMaintenance"
        MAINTENANCE = "Maintenance"
        ERROR = "ErrorInMaintenance"

    reach: ClassVar[Reach] = Infrastructure()
    guarded = Row.guarded | {"cpu_mhz_used", "memory_mib_used", "guests", "resource_state"}

    zone = models.ForeignKey(Zone, models.PROTECT, related_name="hosts")
    pod = models.ForeignKey(Pod, models.PROTECT, null=True, related_name="hosts")
    cluster = models.ForeignKey(Cluster, models.PROTECT, null=True, related_name="hosts")
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=32, default="Routing")
    hypervisor = models.CharField(max_length=32, default="Simulator")
    hypervisor_version = models.CharField(max_length=64, default="")
    url = models.CharField(max_length=255, default="")
    username = models.CharField(max_length=255, default="")
    password = models.TextField(default="")  # sealed
    ip = models.CharField(max_length=64, default="")
    status = models.CharField(max_length=32, choices=Status, default=Status.UP)
    resource_state = models.CharField(max_length=32, choices=ResourceState, default=ResourceState.ENABLED)
    cpu_sockets = models.IntegerField(default=1)
    cpu_cores = models.IntegerField(default=4)
    cpu_speed_mhz = models.IntegerField(default=8000)
    memory_bytes = models.BigIntegerField(default=8 << 30)
    cpu_mhz_capacity = models.BigIntegerField(default=32_000)
    cpu_mhz_used = models.BigIntegerField(default=0)
    memory_mib_capacity = models.BigIntegerField(default=8192)
    memory_mib_used = models.BigIntegerField(default=0)
    guests = models.IntegerField(default=0)
    max_guests = models.IntegerField(default=50)
    room = models.GeneratedField(
        expression=Least(F("cpu_mhz_capacity") - F("cpu_mhz_used"), F("memory_mib_capacity") - F("memory_mib_used")),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )
    last_pinged = models.DateTimeField(null=True)
    disconnected = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta(Row.Meta):
        indexes = [
            models.Index(fields=["zone", *CANDIDATES], name="host_candidates"),
            models.Index(fields=["pod", *CANDIDATES], name="host_candidates_of_pod"),
            # Covers the sums of a cluster, which placement compares with the thresholds of its settings.
            models.Index(
                fields=[
                    "cluster",
                    "removed",
                    "status",
                    "resource_state",
                    "cpu_mhz_used",
                    "cpu_mhz_capacity",
                    "memory_mib_used",
                    "memory_mib_capacity",
                ],
                name="hosts_of_cluster",
            ),
        ]


class HostTag(models.Model):
    host = models.ForeignKey(Host, models.CASCADE, related_name="tags")
    tag = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "tag"], name="one_host_tag")]
        indexes = [models.Index(fields=["tag", "host"], name="hosts_of_tag")]


class HostMeasured(models.Model):
    at = models.DateTimeField()
    cpu_percent = models.FloatField(null=True)  # of all its processors, since the sample before
    memory_bytes = models.BigIntegerField()  # in use
    received_bytes = models.BigIntegerField()
    sent_bytes = models.BigIntegerField()

    class Meta:
        abstract = True


class HostLoad(HostMeasured):
    """What a host has used, as it told last: totals that only grow while ``epoch`` is the same."""

    host = models.OneToOneField(Host, models.PROTECT, related_name="load")
    epoch = models.CharField(max_length=32)
    cpu_seconds = models.FloatField()
    load_average = models.FloatField()  # of the last minute


class HostLoadSample(HostMeasured):
    """What a host used between the sample before and this one."""

    host = models.ForeignKey(Host, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        indexes = [
            models.Index(fields=["host", "at"], name="samples_of_host"),
            models.Index(fields=["at"], name="host_samples_by_age"),
        ]


class PhysicalNetwork(Row):
    reach: ClassVar[Reach] = Infrastructure()

    zone = models.ForeignKey(Zone, models.PROTECT, related_name="physical_networks")
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=16, default="Disabled")
    vlan = models.CharField(max_length=1024, default="")  # "100-200,300-310"
    isolation_methods = models.CharField(max_length=255, default="")
    speed = models.CharField(max_length=32, default="")
    broadcast_domain_range = models.CharField(max_length=32, default="ZONE")
    domain = models.ForeignKey(Domain, models.PROTECT, null=True, related_name="+")
    network_tags = models.CharField(max_length=255, default="")


class TrafficType(Row):
    reach: ClassVar[Reach] = Infrastructure()

    physical_network = models.ForeignKey(PhysicalNetwork, models.PROTECT, related_name="traffic_types")
    kind = models.CharField(max_length=16)  # Guest, Management, Public, Storage
    labels = models.JSONField(default=dict)  # hypervisor -> network label
    vlan = models.CharField(max_length=64, default="")

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["physical_network", "kind", "alive"], name="one_traffic_type_per_kind")
        ]


class ServiceProvider(Row):
    """A network service provider of a physical network, by name: VirtualRouter, SecurityGroupProvider, ..."""

    reach: ClassVar[Reach] = Infrastructure()

    physical_network = models.ForeignKey(PhysicalNetwork, models.PROTECT, related_name="providers")
    name = models.CharField(max_length=64)
    state = models.CharField(max_length=16, default="Disabled")
    services = models.JSONField(default=list)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["physical_network", "name", "alive"], name="one_provider_per_name")
        ]


class StorageNetworkRange(Row):
    reach: ClassVar[Reach] = Infrastructure()

    zone = models.ForeignKey(Zone, models.PROTECT, related_name="+")
    pod = models.ForeignKey(Pod, models.PROTECT, related_name="storage_ranges")
    gateway = models.GenericIPAddressField()
    netmask = models.GenericIPAddressField()
    start_ip = models.GenericIPAddressField()
    end_ip = models.GenericIPAddressField()
    vlan = models.IntegerField(null=True)
