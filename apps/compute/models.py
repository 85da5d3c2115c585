"""What groups machines of an account: for the eye (instance groups) and for placement (affinity groups)."""

from typing import ClassVar

from django.db import models

from apps.core.ownership import OwnedResource
from apps.machines.models import VirtualMachine


class InstanceGroup(OwnedResource):
    counts: ClassVar[dict[str, int | str]] = {}

    name = models.CharField(max_length=255)
    created = models.DateTimeField(auto_now_add=True)

    class Meta(OwnedResource.Meta):
        constraints = [models.UniqueConstraint(fields=["owner", "name", "alive"], name="one_instance_group_per_name")]


class GroupMember(models.Model):
    """A machine is in one group at most."""

    vm = models.OneToOneField(VirtualMachine, models.CASCADE, related_name="group_member")
    group = models.ForeignKey(InstanceGroup, models.CASCADE, related_name="members")


class AffinityGroup(OwnedResource):
    class Kind(models.TextChoices):
        AFFINITY = "host affinity"  # all on one host
        ANTI_AFFINITY = "host anti-affinity"  # no two on one host

    counts: ClassVar[dict[str, int | str]] = {}

    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=32, choices=Kind)
    description = models.CharField(max_length=255, default="")
    created = models.DateTimeField(auto_now_add=True)

    class Meta(OwnedResource.Meta):
        constraints = [models.UniqueConstraint(fields=["owner", "name", "alive"], name="one_affinity_group_per_name")]


class AffinityMember(models.Model):
    vm = models.ForeignKey(VirtualMachine, models.CASCADE, related_name="affinities")
    group = models.ForeignKey(AffinityGroup, models.CASCADE, related_name="members")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["vm", "group"], name="one_affinity_membership")]
