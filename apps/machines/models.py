"""Machines of every kind, user and system, and what ties disks, networks and capacity to them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.core.ownership import OwnedResource
from apps.core.reach import Owned, Reach
from apps.core.rows import Row
from apps.images.models import OsType, Template
from apps.infrastructure.models import Host, Pod, Zone
from apps.network.models import Network, RangeAddress
from apps.offerings.models import ServiceOffering
from apps.storage.models import Volume


class VirtualMachine(OwnedResource):
    """``cpus``, ``speed_mhz`` and ``memory_mib`` are the machine's own: an offering may leave them to the customer, and
    a change of the offering takes effect at the next start.
    """

    class State(models.TextChoices):
        STARTING = "Starting"
        RUNNING = "Running"
        STOPPING = "Stopping"
        STOPPED = "Stopped"
        DESTROYED = "Destroyed"
        EXPUNGING = "Expunging"
        RESTORING = "Restoring"
        ERROR = "Error"

    class Kind(models.TextChoices):
        USER = "User"
        ROUTER = "DomainRouter"
        SECONDARY_STORAGE = "SecondaryStorageVm"
        CONSOLE_PROXY = "ConsoleProxy"

    tells_password = False  # of the row that a flow answers with: nobody has been told the password yet

    counts = {"user_vm": 1, "cpu": "cpus", "memory": "memory_mib"}
    tag_types = {"UserVm": Q()}
    # The label stands for machines of users: no user command reaches a router. Commands about those name a proxy model.
    named = Q(kind=Kind.USER)

    kind = models.CharField(max_length=32, choices=Kind, default=Kind.USER)
    name = models.CharField(max_length=255)  # host name
    display_name = models.CharField(max_length=255, default="")
    instance_name = models.CharField(max_length=64, default="")  # on the hypervisor: i-2-7-VM
    state = models.CharField(max_length=32, choices=State, default=State.STOPPED)
    zone = models.ForeignKey(Zone, models.PROTECT, related_name="+")
    pod = models.ForeignKey(Pod, models.PROTECT, null=True, related_name="+")
    host = models.ForeignKey(Host, models.PROTECT, null=True, related_name="machines")
    last_host = models.ForeignKey(Host, models.PROTECT, null=True, related_name="+")
    offering = models.ForeignKey(ServiceOffering, models.PROTECT, related_name="+")
    template = models.ForeignKey(Template, models.PROTECT, null=True, related_name="+")
    iso = models.ForeignKey(Template, models.PROTECT, null=True, related_name="+")  # in the drive
    os_type = models.ForeignKey(OsType, models.PROTECT, null=True, related_name="+")
    hypervisor = models.CharField(max_length=32, default="Simulator")
    cpus = models.IntegerField(default=1)
    speed_mhz = models.IntegerField(default=500)
    memory_mib = models.IntegerField(default=512)
    ha_enabled = models.BooleanField(default=False)
    is_dynamically_scalable = models.BooleanField(default=False)
    is_displayed = models.BooleanField(default=True)
    delete_protection = models.BooleanField(default=False)
    creator = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    password = models.TextField(default="")  # sealed, until the machine has fetched it
    password_told = models.BooleanField(default=False)  # an answer has told it; none tells it again
    user_data = models.TextField(default="")  # base64 as it came
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    destroyed = models.DateTimeField(null=True)

    class Meta(OwnedResource.Meta):
        indexes = [
            *OwnedResource.Meta.indexes,
            models.Index(fields=["state", "destroyed"], name="machines_to_expunge"),
            models.Index(fields=["host", "removed"], name="machines_of_host"),
            models.Index(fields=["name"], name="machines_by_name"),
            # Those of the system are few among users', and no query for users' machines can take this one for its own.
            models.Index(fields=["is_counted", "kind", "removed", "id"], name="machines_of_system"),
        ]


class Nic(Row):
    """A network card. The address is the network's: from a range of it (``address``) or from its own CIDR."""

    reach: ClassVar[Reach] = Owned(owner="vm__owner_id", path="vm__domain_path")
    named = Q(vm__kind=VirtualMachine.Kind.USER)

    vm = models.ForeignKey(VirtualMachine, models.PROTECT, related_name="nics")
    network = models.ForeignKey(Network, models.PROTECT, related_name="nics")
    address = models.OneToOneField(RangeAddress, models.PROTECT, null=True, related_name="nic")
    ip = models.GenericIPAddressField(null=True)
    gateway = models.GenericIPAddressField(null=True)
    netmask = models.GenericIPAddressField(null=True)
    mac = models.CharField(max_length=17)
    device_id = models.PositiveIntegerField(default=0)
    is_default = models.BooleanField(default=False)
    state = models.CharField(max_length=16, default="Allocated")
    unplugging = models.BooleanField(default=False)  # CloudStack's NIC has no state for it

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["network", "ip", "alive"], name="one_nic_per_address"),
            models.UniqueConstraint(fields=["network", "mac", "alive"], name="one_nic_per_mac"),
            models.UniqueConstraint(fields=["vm", "device_id", "alive"], name="one_nic_per_device"),
        ]


class Attachment(models.Model):
    """A volume in a machine. The two unique keys are the last word against double attachment."""

    ROOT_DEVICE = 0

    volume = models.OneToOneField(Volume, models.PROTECT, related_name="attachment")
    vm = models.ForeignKey(VirtualMachine, models.PROTECT, related_name="attachments")
    device_id = models.PositiveIntegerField()
    detaching = models.BooleanField(default=False)  # CloudStack's volume has no state for it

    class Meta:
        constraints = [models.UniqueConstraint(fields=["vm", "device_id"], name="one_volume_per_device")]


class Reservation(models.Model):
    """Capacity of a host that a machine holds; one row per machine, so that reserving twice is reserving once."""

    vm = models.OneToOneField(VirtualMachine, models.PROTECT, related_name="reservation")
    host = models.ForeignKey(Host, models.PROTECT, related_name="reservations")
    cpu_mhz = models.BigIntegerField()
    memory_mib = models.BigIntegerField()


class Measured(models.Model):
    """Of the cards and disks of a machine together."""

    at = models.DateTimeField()
    cpu_percent = models.FloatField(null=True)  # of all its processors, since the sample before
    memory_kib = models.BigIntegerField()  # that the host gave it
    received_bytes = models.BigIntegerField()
    sent_bytes = models.BigIntegerField()
    read_bytes = models.BigIntegerField()
    written_bytes = models.BigIntegerField()
    read_requests = models.BigIntegerField()
    write_requests = models.BigIntegerField()

    class Meta:
        abstract = True


class Load(Measured):
    """What a machine has used, as its host told last: totals that only grow while ``epoch`` is the same."""

    vm = models.OneToOneField(VirtualMachine, models.PROTECT, related_name="load")
    epoch = models.CharField(max_length=32)
    cpu_seconds = models.FloatField()


class LoadSample(Measured):
    """What a machine used between the sample before and this one."""

    vm = models.ForeignKey(VirtualMachine, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        indexes = [
            models.Index(fields=["vm", "at"], name="samples_of_machine"),
            models.Index(fields=["at"], name="samples_by_age"),
        ]
