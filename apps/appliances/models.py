"""Machines of the system: what they are for. The machine itself, its power and place, is a row of machines."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.reach import Infrastructure, Reach
from apps.core.rows import Row
from apps.infrastructure.models import PodAddress, ServiceProvider
from apps.machines.models import VirtualMachine
from apps.network.models import Network, RangeAddress

K = VirtualMachine.Kind
# Machines of the system count against nobody: `is_counted` says nothing new of them, and has the index that finds them.


class RouterMachine(VirtualMachine):
    """What the label of a router stands for on the wire: machines of that kind only."""

    named: ClassVar[Q] = Q(kind=K.ROUTER, is_counted=False)

    class Meta(VirtualMachine.Meta):
        proxy = True
        indexes: ClassVar[list[models.Index]] = []


class SystemMachine(VirtualMachine):
    """Secondary storage VMs and console proxies: root's, whoever owns their rows."""

    named: ClassVar[Q] = Q(kind__in=(K.SECONDARY_STORAGE, K.CONSOLE_PROXY), is_counted=False)
    reach: ClassVar[Reach] = Infrastructure()

    class Meta(VirtualMachine.Meta):
        proxy = True
        indexes: ClassVar[list[models.Index]] = []


class Router(models.Model):
    """The virtual router of a network. ``applied`` is the generation of the document that it matches."""

    vm = models.OneToOneField(VirtualMachine, models.PROTECT, related_name="router")
    network = models.OneToOneField(Network, models.PROTECT, null=True, related_name="router")  # NULL once removed
    network_uuid = models.CharField(max_length=36)  # what the host calls the document, also when the network is gone
    applied = models.BigIntegerField(default=0)
    # Of the network's addresses, where the router is not its gateway.
    address = models.OneToOneField(RangeAddress, models.PROTECT, null=True, related_name="+")
    guest_ip = models.GenericIPAddressField(null=True)
    guest_mac = models.CharField(max_length=17, default="")
    public_mac = models.CharField(max_length=17, default="")
    link_local_ip = models.GenericIPAddressField(null=True)
    checks = models.JSONField(default=list)  # when it was asked last how it is, as the wire tells them
    checks_failed = models.BooleanField(default=False)


class SystemAddress(models.Model):
    """The addresses of a system machine: a management one of the pod that it runs in, a public one of its zone."""

    vm = models.OneToOneField(VirtualMachine, models.PROTECT, related_name="system_address")
    private = models.OneToOneField(PodAddress, models.PROTECT, null=True, related_name="+")
    private_mac = models.CharField(max_length=17, default="")
    public = models.OneToOneField(RangeAddress, models.PROTECT, null=True, related_name="+")
    public_mac = models.CharField(max_length=17, default="")
    link_local_ip = models.GenericIPAddressField(null=True)


class Element(Row):
    """What of a provider can be switched on: operators' scripts do it by its id."""

    class Kind(models.TextChoices):
        ROUTER = "VirtualRouter"
        VPC_ROUTER = "VpcVirtualRouter"
        BALANCER = "InternalLbVm"

    reach: ClassVar[Reach] = Infrastructure()

    provider = models.ForeignKey(ServiceProvider, models.PROTECT, related_name="elements")
    kind = models.CharField(max_length=32, choices=Kind)
    enabled = models.BooleanField(default=False)


class RouterElement(Element):
    named: ClassVar[Q] = Q(kind__in=(Element.Kind.ROUTER, Element.Kind.VPC_ROUTER))

    class Meta(Element.Meta):
        proxy = True


class BalancerElement(Element):
    named: ClassVar[Q] = Q(kind=Element.Kind.BALANCER)

    class Meta(Element.Meta):
        proxy = True
