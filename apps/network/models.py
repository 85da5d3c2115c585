"""Networks of tenants, their addresses, and the segments that keep them apart."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.ownership import OwnedResource
from apps.core.reach import Infrastructure, Reach, Shared
from apps.core.rows import Row
from apps.domains.models import Domain
from apps.infrastructure.models import PhysicalNetwork, Pod, Zone
from apps.offerings.models import NetworkOffering


class Network(OwnedResource):
    """Isolated networks belong to an account; shared ones are for a domain, or with ``is_public`` for everybody.

    ``generation`` counts the changes of the document that devices must match; see ``document.py``.
    """

    class State(models.TextChoices):
        ALLOCATED = "Allocated"
        SETUP = "Setup"
        IMPLEMENTING = "Implementing"
        IMPLEMENTED = "Implemented"
        SHUTDOWN = "Shutdown"
        DESTROY = "Destroy"

    reach: ClassVar[Shared] = Shared(shares="network.NetworkShare", domain="domain", below="subdomain_access")
    counts = {"network": 1}
    tag_types = {"Network": Q()}

    name = models.CharField(max_length=255)
    display_text = models.CharField(max_length=255, default="")
    state = models.CharField(max_length=16, choices=State, default=State.ALLOCATED)
    zone = models.ForeignKey(Zone, models.PROTECT, related_name="+")
    offering = models.ForeignKey(NetworkOffering, models.PROTECT, related_name="+")
    physical_network = models.ForeignKey(PhysicalNetwork, models.PROTECT, null=True, related_name="+")
    guest_type = models.CharField(max_length=16, default="Isolated")
    traffic_type = models.CharField(max_length=16, default="Guest")
    acl_type = models.CharField(max_length=16, default="Account")
    is_public = models.BooleanField(default=False)
    domain = models.ForeignKey(Domain, models.PROTECT, null=True, related_name="+")  # that a shared one is for
    subdomain_access = models.BooleanField(default=False)  # and for the domains below it
    cidr = models.CharField(max_length=64, default="")
    gateway = models.GenericIPAddressField(null=True)
    vlan = models.CharField(max_length=64, default="")
    network_domain = models.CharField(max_length=255, default="")
    dns1 = models.CharField(max_length=64, default="")
    dns2 = models.CharField(max_length=64, default="")
    cursor = models.BigIntegerField(default=0)  # offset of the next address of the CIDR; see addressing.py
    netmask = models.GenericIPAddressField(null=True)
    broadcast_type = models.CharField(max_length=16, default="Vlan")
    idle_since = models.DateTimeField(null=True)  # implemented, and no machine runs in it
    restart_required = models.BooleanField(default=False)
    is_redundant = models.BooleanField(default=False)
    specify_ip_ranges = models.BooleanField(default=False)
    is_displayed = models.BooleanField(default=True)
    generation = models.BigIntegerField(default=1)
    created = models.DateTimeField(auto_now_add=True)

    class Meta(OwnedResource.Meta):
        indexes = [
            *OwnedResource.Meta.indexes,
            models.Index(fields=["state", "idle_since"], name="idle_networks"),
            models.Index(fields=["is_public"], name="public_networks"),
        ]


class NetworkShare(models.Model):
    """The network may be used by this account."""

    row = models.ForeignKey(Network, models.CASCADE, related_name="shared_with")
    account = models.ForeignKey("accounts.Account", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["row", "account"], name="one_share_per_account")]


class Segment(models.Model):
    """A VLAN id of a physical network; ``network`` has it, NULL when it is free.

    Those that are not ``is_dynamic`` were chosen by an operator for one network, and come and go with it.
    """

    physical_network = models.ForeignKey(PhysicalNetwork, models.PROTECT, related_name="segments")
    number = models.PositiveIntegerField()
    network = models.ForeignKey(Network, models.PROTECT, null=True, related_name="segments")
    is_dynamic = models.BooleanField(default=True)
    taken = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["physical_network", "number"], name="one_segment_per_number")]
        indexes = [models.Index(fields=["physical_network", "network"], name="free_segments")]


class IpRange(Row):
    """createVlanIpRange: public addresses of a zone, or guest addresses of a shared network or of a pod (Basic)."""

    reach: ClassVar[Reach] = Infrastructure()

    zone = models.ForeignKey(Zone, models.PROTECT, related_name="ip_ranges")
    physical_network = models.ForeignKey(PhysicalNetwork, models.PROTECT, null=True, related_name="+")
    network = models.ForeignKey(Network, models.PROTECT, null=True, related_name="ip_ranges")  # NULL: public
    pod = models.ForeignKey(Pod, models.PROTECT, null=True, related_name="+")
    owner = models.ForeignKey("accounts.Account", models.PROTECT, null=True, related_name="+")  # dedicated to it
    domain = models.ForeignKey(Domain, models.PROTECT, null=True, related_name="+")
    for_virtual_network = models.BooleanField(default=True)
    for_system_vms = models.BooleanField(default=False)
    # Of an isolated network: its addresses have rows only while they are taken, and it is no range of the operator's.
    is_lazy = models.BooleanField(default=False)
    vlan = models.CharField(max_length=64, default="untagged")
    gateway = models.GenericIPAddressField()
    netmask = models.GenericIPAddressField()
    start_ip = models.GenericIPAddressField()
    end_ip = models.GenericIPAddressField()


class RangeAddress(models.Model):
    """One address of a range. ``taken_by`` is the lock key of what has it (an address, a machine), "" when free.

    ``uuid`` names a free public one; an account that gets the address gets it under that name.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    range = models.ForeignKey(IpRange, models.PROTECT, related_name="addresses")
    ip = models.GenericIPAddressField()
    number = models.BigIntegerField()  # the address as a number, for order
    taken_by = models.CharField(max_length=96, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["range", "number"], name="one_row_per_address")]
        indexes = [models.Index(fields=["range", "taken_by", "number"], name="free_addresses")]


class PublicAddress(OwnedResource):
    """A public address that an account holds; the pool of all is RangeAddress.

    One that is Releasing is in the document of its network no more, and is free for others when the devices know that.
    """

    class State(models.TextChoices):
        ALLOCATING = "Allocating"
        ALLOCATED = "Allocated"
        RESERVED = "Reserved"
        RELEASING = "Releasing"
        FREE = "Free"

    counts = {"public_ip": 1}
    tag_types = {"PublicIpAddress": Q()}

    address = models.OneToOneField(
        RangeAddress, models.PROTECT, null=True, related_name="held_by"
    )  # NULL once released
    ip = models.GenericIPAddressField()
    state = models.CharField(max_length=16, choices=State, default=State.ALLOCATED)
    zone = models.ForeignKey(Zone, models.PROTECT, related_name="+")
    network = models.ForeignKey(Network, models.PROTECT, null=True, related_name="public_addresses")
    is_source_nat = models.BooleanField(default=False)
    is_system = models.BooleanField(default=False)
    is_displayed = models.BooleanField(default=True)
    allocated = models.DateTimeField(auto_now_add=True)

    class Meta(OwnedResource.Meta):
        indexes = [
            *OwnedResource.Meta.indexes,
            models.Index(fields=["network", "removed"], name="addresses_of_network"),
            models.Index(fields=["state", "removed"], name="addresses_by_state"),
        ]
