"""Templates and ISOs, the stores they lie in, and the guest systems in them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.ownership import OwnedResource
from apps.core.reach import Infrastructure, Reach, Shared
from apps.core.rows import Row
from apps.infrastructure.models import Zone


class OsCategory(Row):
    reach: ClassVar[Reach] = Infrastructure(tenants=True)

    name = models.CharField(max_length=255)
    is_featured = models.BooleanField(default=False)


class OsType(Row):
    reach: ClassVar[Reach] = Infrastructure(tenants=True)

    name = models.CharField(max_length=255)
    category = models.ForeignKey(OsCategory, models.PROTECT, related_name="types")
    is_user_defined = models.BooleanField(default=False)
    is_displayed = models.BooleanField(default=True)


class HypervisorCapabilities(Row):
    reach: ClassVar[Reach] = Infrastructure(tenants=True)

    hypervisor = models.CharField(max_length=32)
    version = models.CharField(max_length=64, default="default")
    max_guests = models.IntegerField(default=50)
    max_data_volumes = models.IntegerField(default=6)
    max_hosts_per_cluster = models.IntegerField(null=True)
    security_groups = models.BooleanField(default=False)
    storage_motion = models.BooleanField(default=False)
    vm_snapshots = models.BooleanField(default=False)


class ImageStore(Row):
    """Secondary storage of a zone; without a zone, of all (region-wide object stores)."""

    reach: ClassVar[Reach] = Infrastructure()

    zone = models.ForeignKey(Zone, models.PROTECT, null=True, related_name="image_stores")
    name = models.CharField(max_length=255)
    url = models.CharField(max_length=2048)
    protocol = models.CharField(max_length=16, default="nfs")
    provider = models.CharField(max_length=64, default="NFS")
    scope = models.CharField(max_length=16, default="ZONE")
    is_readonly = models.BooleanField(default=False)
    capacity_bytes = models.BigIntegerField(default=1 << 40)
    used_bytes = models.BigIntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)


class Template(OwnedResource):
    """A template or, with ``is_iso``, an ISO."""

    class Kind(models.TextChoices):
        USER = "USER"
        SYSTEM = "SYSTEM"
        BUILTIN = "BUILTIN"
        ROUTING = "ROUTING"

    class State(models.TextChoices):
        ACTIVE = "Active"
        INACTIVE = "Inactive"

    reach: ClassVar[Reach] = Shared(shares="images.TemplateShare")
    counts = {"template": 1, "secondary_storage": "stored_bytes"}
    tag_types = {"Template": Q(is_iso=False), "ISO": Q(is_iso=True)}

    name = models.CharField(max_length=255)
    display_text = models.CharField(max_length=4096, default="")
    is_iso = models.BooleanField(default=False)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.USER)
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    os_type = models.ForeignKey(OsType, models.PROTECT, null=True, related_name="+")
    hypervisor = models.CharField(max_length=32, default="Simulator")
    format = models.CharField(max_length=16, default="VHD")
    url = models.CharField(max_length=2048, default="")
    checksum = models.CharField(max_length=255, default="")
    size_bytes = models.BigIntegerField(default=0)  # virtual size
    stored_bytes = models.BigIntegerField(default=0)  # of all copies together, once known
    unique_name = models.CharField(max_length=128, default="")  # of those that the installation itself made
    is_public = models.BooleanField(default=False)
    is_featured = models.BooleanField(default=False)
    is_extractable = models.BooleanField(default=False)
    is_bootable = models.BooleanField(default=True)
    is_cross_zones = models.BooleanField(default=False)
    is_dynamically_scalable = models.BooleanField(default=False)
    is_deploy_as_is = models.BooleanField(default=False)
    password_enabled = models.BooleanField(default=False)
    sshkey_enabled = models.BooleanField(default=False)
    requires_hvm = models.BooleanField(default=True)
    bits = models.IntegerField(default=64)
    arch = models.CharField(max_length=16, default="x86_64")
    tag = models.CharField(max_length=255, default="")  # of hosts
    sort_key = models.IntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)


class TemplateShare(models.Model):
    """The template may be used by this account."""

    row = models.ForeignKey(Template, models.CASCADE, related_name="shared_with")
    account = models.ForeignKey("accounts.Account", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["row", "account"], name="one_template_share")]


class TemplateCopy(Row):
    """A template in an image store of a zone: being downloaded, or there. States are those of state-machines.md 1.7."""

    class State(models.TextChoices):
        ALLOCATED = "Allocated"
        CREATING = "Creating"
        READY = "Ready"
        FAILED = "Failed"
        DESTROYING = "Destroying"
        DESTROYED = "Destroyed"

    reach: ClassVar[Reach] = Infrastructure()

    template = models.ForeignKey(Template, models.PROTECT, related_name="copies")
    zone = models.ForeignKey(Zone, models.PROTECT, related_name="+")
    store = models.ForeignKey(ImageStore, models.PROTECT, null=True, related_name="copies")
    state = models.CharField(max_length=32, choices=State, default=State.ALLOCATED)
    percent = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=255, default="")
    path = models.CharField(max_length=1024, default="")  # below the root of the store
    physical_bytes = models.BigIntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["template", "zone", "alive"], name="one_copy_per_zone")]
