"""Rules of networks as rows: they are true when the devices match the document that they are rendered into."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.ownership import OwnedResource
from apps.core.reach import Owned, Reach
from apps.core.rows import Row
from apps.machines.models import VirtualMachine
from apps.network.models import Network, PublicAddress


class Rule(OwnedResource):
    """A rule of a public address, or with ``EGRESS`` of a network. ``cidrs`` are sources, of egress the destinations
    are ``destinations``. ``opened_by`` is the rule that a firewall rule was made for and goes with.
    """

    class Purpose(models.TextChoices):
        FIREWALL = "Firewall"
        EGRESS = "Egress"
        FORWARDING = "PortForwarding"
        IP_FORWARDING = "IpForwarding"

    class State(models.TextChoices):
        ADD = "Add"
        ACTIVE = "Active"
        REVOKE = "Revoke"

    tag_types = {
        "FirewallRule": Q(purpose__in=(Purpose.FIREWALL, Purpose.EGRESS)),
        "PortForwardingRule": Q(purpose=Purpose.FORWARDING),
    }

    purpose = models.CharField(max_length=16, choices=Purpose)
    state = models.CharField(max_length=16, choices=State, default=State.ADD)
    network = models.ForeignKey(Network, models.PROTECT, related_name="rules")
    address = models.ForeignKey(PublicAddress, models.PROTECT, null=True, related_name="rules")
    protocol = models.CharField(max_length=8)
    start_port = models.IntegerField(null=True)
    end_port = models.IntegerField(null=True)
    private_port = models.IntegerField(null=True)
    private_end_port = models.IntegerField(null=True)
    icmp_type = models.IntegerField(null=True)
    icmp_code = models.IntegerField(null=True)
    cidrs = models.JSONField(default=list)
    destinations = models.JSONField(default=list)
    vm = models.ForeignKey(VirtualMachine, models.PROTECT, null=True, related_name="rules")
    vm_ip = models.GenericIPAddressField(null=True)
    opened_by = models.ForeignKey("self", models.PROTECT, null=True, related_name="opened")
    is_displayed = models.BooleanField(default=True)

    class Meta(OwnedResource.Meta):
        indexes = [
            *OwnedResource.Meta.indexes,
            models.Index(fields=["address", "purpose", "removed"], name="rules_of_address"),
            models.Index(fields=["network", "purpose", "removed"], name="rules_of_network"),
            models.Index(fields=["state", "removed"], name="rules_by_state"),
        ]


class StaticNat(models.Model):
    """All of a public address goes to one machine."""

    address = models.OneToOneField(PublicAddress, models.CASCADE, related_name="static_nat")
    vm = models.ForeignKey(VirtualMachine, models.PROTECT, related_name="static_nats")
    vm_ip = models.GenericIPAddressField()


class SecurityGroup(OwnedResource):
    tag_types = {"SecurityGroup": Q()}

    name = models.CharField(max_length=255)
    description = models.CharField(max_length=4096, default="")
    generation = models.BigIntegerField(default=1)

    class Meta(OwnedResource.Meta):
        constraints = [models.UniqueConstraint(fields=["owner", "name", "alive"], name="one_security_group_per_name")]


class SecurityGroupRule(Row):
    """Traffic from, or to, a network or the members of another group."""

    class Direction(models.TextChoices):
        INGRESS = "ingress"
        EGRESS = "egress"

    reach: ClassVar[Reach] = Owned(owner="group__owner_id", path="group__domain_path")

    group = models.ForeignKey(SecurityGroup, models.PROTECT, related_name="rules")
    direction = models.CharField(max_length=8, choices=Direction)
    protocol = models.CharField(max_length=8)
    start_port = models.IntegerField(null=True)
    end_port = models.IntegerField(null=True)
    icmp_type = models.IntegerField(null=True)
    icmp_code = models.IntegerField(null=True)
    cidr = models.CharField(max_length=64, default="")
    other = models.ForeignKey(SecurityGroup, models.PROTECT, null=True, related_name="named_in")


class Member(models.Model):
    """The machine is in the group."""

    group = models.ForeignKey(SecurityGroup, models.PROTECT, related_name="members")
    vm = models.ForeignKey(VirtualMachine, models.PROTECT, related_name="security_groups")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "vm"], name="one_membership_per_group")]
