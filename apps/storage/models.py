"""Primary storage and volumes. What a volume is attached to is a row of machines: a lower app has no column for it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.ownership import OwnedResource
from apps.core.reach import Infrastructure, Reach
from apps.core.rows import Row
from apps.images.models import Template
from apps.infrastructure.models import Cluster, Host, Pod, Zone
from apps.offerings.models import DiskOffering


class StoragePool(Row):
    """``size_bytes`` is what there is, ``capacity_bytes`` the same times the over-provisioning factor. Volumes are
    promised ``used_bytes`` of it, and new ones get a place up to ``placement_bytes``: what the thresholds leave of it.
    """

    class State(models.TextChoices):
        UP = "Up"
        PREPARE = "PrepareForMaintenance"
        MAINTENANCE = "Maintenance"
        ERROR = "ErrorInMaintenance"
        DISABLED = "Disabled"
        REMOVED = "Removed"

    class Scope(models.TextChoices):
        CLUSTER = "CLUSTER"
        ZONE = "ZONE"
        HOST = "HOST"

    reach: ClassVar[Reach] = Infrastructure()
    guarded = Row.guarded | {"used_bytes", "capacity_bytes", "placement_bytes"}

    zone = models.ForeignKey(Zone, models.PROTECT, related_name="storage_pools")
    pod = models.ForeignKey(Pod, models.PROTECT, null=True, related_name="storage_pools")
    cluster = models.ForeignKey(Cluster, models.PROTECT, null=True, related_name="storage_pools")
    host = models.ForeignKey(Host, models.PROTECT, null=True, related_name="storage_pools")  # local storage
    place = models.CharField(max_length=32, default="")  # whose hosts reach it, in one column: "cluster:7"
    name = models.CharField(max_length=255)
    url = models.CharField(max_length=2048, default="")  # without what is secret in it
    secret = models.TextField(default="")  # that, sealed: "user:password"
    identity = models.CharField(max_length=64, null=True, editable=False)  # noqa: DJ001 - one pool per device and path
    type = models.CharField(max_length=32, default="NetworkFilesystem")
    scope = models.CharField(max_length=16, choices=Scope, default=Scope.CLUSTER)
    provider = models.CharField(max_length=64, default="DefaultPrimary")
    hypervisor = models.CharField(max_length=32, default="Simulator")
    state = models.CharField(max_length=32, choices=State, default=State.UP)
    ip = models.CharField(max_length=255, default="")
    path = models.CharField(max_length=1024, default="")
    stated_bytes = models.BigIntegerField(null=True)  # the size that an operator says, in place of the measured one
    size_bytes = models.BigIntegerField(default=1 << 40)
    stored_bytes = models.BigIntegerField(default=0)  # what lies there, by the last measurement
    capacity_bytes = models.BigIntegerField(default=1 << 40)
    placement_bytes = models.BigIntegerField(default=1 << 40)
    used_bytes = models.BigIntegerField(default=0)
    capacity_iops = models.BigIntegerField(null=True)
    measured = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["identity", "alive"], name="one_pool_per_device")]
        indexes = [
            models.Index(fields=["place", "state", "removed", "used_bytes"], name="pools_of_place"),
            models.Index(fields=["zone", "state", "removed", "used_bytes"], name="pools_of_zone"),
        ]

    @property
    def is_local(self) -> bool:
        return self.host_id is not None


class StoragePoolTag(models.Model):
    pool = models.ForeignKey(StoragePool, models.CASCADE, related_name="tags")
    tag = models.CharField(max_length=255, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pool", "tag"], name="one_pool_tag")]


class Volume(OwnedResource):
    class State(models.TextChoices):
        ALLOCATED = "Allocated"
        CREATING = "Creating"
        READY = "Ready"
        ATTACHING = "Attaching"
        RESIZING = "Resizing"
        DESTROY = "Destroy"
        EXPUNGING = "Expunging"
        EXPUNGED = "Expunged"

    named = Q(is_system=False)

    class Kind(models.TextChoices):
        ROOT = "ROOT"
        DATADISK = "DATADISK"

    counts = {"volume": 1, "primary_storage": "size"}
    tag_types = {"Volume": Q()}
    guarded = OwnedResource.guarded | {"target_size", "settled_size", "target_offering", "pool", "via"}

    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.DATADISK)
    size = models.BigIntegerField()  # bytes; while it is resized the larger of the two sizes: that is what is promised
    target_size = models.BigIntegerField(null=True)  # of a resize under way
    settled_size = models.BigIntegerField(null=True)  # and where it came from
    target_offering = models.ForeignKey(DiskOffering, models.PROTECT, null=True, related_name="+")  # the same
    state = models.CharField(max_length=32, choices=State, default=State.ALLOCATED)
    zone = models.ForeignKey(Zone, models.PROTECT, related_name="+")
    pool = models.ForeignKey(StoragePool, models.PROTECT, null=True, related_name="volumes")
    # The host that was asked last about its disk: only that one knows whether an earlier call is still under way.
    via = models.ForeignKey(Host, models.PROTECT, null=True, related_name="+")
    offering = models.ForeignKey(DiskOffering, models.PROTECT, null=True, related_name="+")
    template = models.ForeignKey(Template, models.PROTECT, null=True, related_name="+")  # of a root disk
    path = models.CharField(max_length=255, default="")
    is_displayed = models.BooleanField(default=True)
    is_system = models.BooleanField(default=False)  # of a machine of the system: no user command reaches it
    delete_protection = models.BooleanField(default=False)
    destroyed = models.DateTimeField(null=True)
    attached_at = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta(OwnedResource.Meta):
        indexes = [
            *OwnedResource.Meta.indexes,
            models.Index(fields=["state", "destroyed"], name="volumes_to_expunge"),
        ]
