"""What can be ordered: sizes of machines and disks, services of networks."""

from typing import ClassVar

from django.db import models

from apps.core.reach import InDomains, Reach
from apps.core.rows import Row
from apps.domains.models import Domain
from apps.infrastructure.models import Zone


class Offering(Row):
    """Of ``domains`` and ``zones``; of all where there are none. Who changes them calls ``services.places``."""

    guarded = frozenset({"uuid", "removed", "alive"})  # ``state`` is what an operator sets, not a machine's

    name = models.CharField(max_length=255)
    display_text = models.CharField(max_length=4096, default="")
    domains = models.ManyToManyField(Domain, related_name="+")
    zones = models.ManyToManyField(Zone, related_name="+")
    # The zone, where there is exactly one: ask selectors.is_offered_in, which knows the others too.
    zone = models.ForeignKey(Zone, models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=16, default="Active")
    sort_key = models.IntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)

    class Meta(Row.Meta):
        abstract = True


class ServiceOffering(Offering):
    """``cpus``, ``speed_mhz`` and ``memory_mib`` are empty where the customer chooses them."""

    reach: ClassVar[Reach] = InDomains("offerings.ServiceOffering.domains")

    cpus = models.IntegerField(null=True, default=1)
    speed_mhz = models.IntegerField(null=True, default=500)
    memory_mib = models.IntegerField(null=True, default=512)
    customized = models.BooleanField(default=False)
    min_cpus = models.IntegerField(null=True)
    max_cpus = models.IntegerField(null=True)
    min_memory_mib = models.IntegerField(null=True)
    max_memory_mib = models.IntegerField(null=True)
    limit_cpu_use = models.BooleanField(default=False)
    offer_ha = models.BooleanField(default=False)
    is_volatile = models.BooleanField(default=False)
    dynamic_scaling = models.BooleanField(default=False)
    storage_type = models.CharField(max_length=16, default="shared")
    provisioning_type = models.CharField(max_length=16, default="thin")
    host_tags = models.CharField(max_length=255, default="")
    storage_tags = models.CharField(max_length=255, default="")
    network_rate_mbps = models.IntegerField(null=True)
    planner = models.CharField(max_length=64, default="")
    root_disk_bytes = models.BigIntegerField(null=True)
    is_system = models.BooleanField(default=False)
    system_vm_type = models.CharField(max_length=32, default="")
    is_default_use = models.BooleanField(default=False)
    unique_name = models.CharField(max_length=128, default="")  # of those that the installation itself made


class DiskOffering(Offering):
    reach: ClassVar[Reach] = InDomains("offerings.DiskOffering.domains")

    size_bytes = models.BigIntegerField(null=True)  # empty where the customer chooses it
    customized = models.BooleanField(default=False)
    storage_type = models.CharField(max_length=16, default="shared")
    provisioning_type = models.CharField(max_length=16, default="thin")
    storage_tags = models.CharField(max_length=255, default="")
    is_displayed = models.BooleanField(default=True)
    min_iops = models.BigIntegerField(null=True)
    max_iops = models.BigIntegerField(null=True)
    customized_iops = models.BooleanField(default=False)
    size_strictness = models.BooleanField(default=False)  # a volume of it is never resized
    unique_name = models.CharField(max_length=128, default="")


class NetworkOffering(Offering):
    """``services`` is service -> list of providers; ``capabilities`` service -> {capability: value}."""

    reach: ClassVar[Reach] = InDomains("offerings.NetworkOffering.domains")

    guest_ip_type = models.CharField(max_length=16, default="Isolated")  # Isolated, Shared, L2
    traffic_type = models.CharField(max_length=16, default="Guest")
    availability = models.CharField(max_length=16, default="Optional")
    services = models.JSONField(default=dict)
    capabilities = models.JSONField(default=dict)
    unique_name = models.CharField(max_length=128, default="")
    is_default = models.BooleanField(default=False)
    conserve_mode = models.BooleanField(default=True)
    specify_vlan = models.BooleanField(default=False)
    specify_ip_ranges = models.BooleanField(default=False)
    is_persistent = models.BooleanField(default=False)
    for_vpc = models.BooleanField(default=False)
    egress_default_allow = models.BooleanField(default=True)
    network_rate_mbps = models.IntegerField(null=True)
    max_connections = models.IntegerField(null=True)
    service_offering = models.ForeignKey(ServiceOffering, models.PROTECT, null=True, related_name="+")
    tags = models.CharField(max_length=255, default="")


class VpcOffering(Offering):
    reach: ClassVar[Reach] = InDomains("offerings.VpcOffering.domains")

    unique_name = models.CharField(max_length=128, default="")
    capabilities = models.JSONField(default=dict)
    services = models.JSONField(default=dict)
    is_default = models.BooleanField(default=False)
    redundant = models.BooleanField(default=False)
    distributed = models.BooleanField(default=False)
    service_offering = models.ForeignKey(ServiceOffering, models.PROTECT, null=True, related_name="+")
