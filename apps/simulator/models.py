"""What simulated hosts have: the truth that drivers are asked about, apart from what the cloud believes."""

from django.db import models


class Mount(models.Model):
    """A host that knows a pool."""

    pool = models.CharField(max_length=36)
    host = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pool", "host"], name="one_mount_per_pool_and_host")]


class Disk(models.Model):
    uuid = models.CharField(max_length=36, primary_key=True)
    pool = models.CharField(max_length=36, default="", db_index=True)
    size = models.BigIntegerField()  # bytes


class Machine(models.Model):
    """A machine that runs: the key is the uuid, so it can run on one host only."""

    uuid = models.CharField(max_length=36, primary_key=True)
    host = models.BigIntegerField(db_index=True)
    memory_mib = models.IntegerField(default=0)
    cpus = models.IntegerField(default=0)
    iso = models.CharField(max_length=36, default="")
    reboots = models.IntegerField(default=0)


class Plugged(models.Model):
    """A disk in a running machine: the key is the disk, so it can be in one machine only."""

    disk = models.CharField(max_length=36, primary_key=True)
    machine = models.CharField(max_length=36, db_index=True)


class Card(models.Model):
    uuid = models.CharField(max_length=36, primary_key=True)
    machine = models.CharField(max_length=36, db_index=True)
    mac = models.CharField(max_length=17, default="")
    network = models.CharField(max_length=36, default="")


class Router(models.Model):
    """What a host makes of the document of a network."""

    network = models.CharField(max_length=36)
    host = models.BigIntegerField(db_index=True)
    generation = models.BigIntegerField()
    document = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["network", "host"], name="one_router_per_network_and_host")]


class Fault(models.Model):
    """How calls go wrong, or slowly, for one host, a cluster, a pod, a zone or all (0), and for one call or all ("").

    ``times`` -1 is for ever; ``percent`` of the calls are hit. ``name`` and ``value`` are what the operator typed.
    """

    class Outcome(models.TextChoices):
        NONE = "none"  # only slow
        REFUSED = "refused"
        BUSY = "busy"
        LOST_BEFORE = "lost_before"  # times out and has not acted
        LOST_AFTER = "lost_after"  # acts, then times out
        LATE = "late"  # times out, and acts when ``late_ms`` have passed

    name = models.CharField(max_length=255, default="")
    value = models.CharField(max_length=255, default="")
    call = models.CharField(max_length=64, default="")  # "power.start"
    zone = models.BigIntegerField(default=0)
    pod = models.BigIntegerField(default=0)
    cluster = models.BigIntegerField(default=0)
    host = models.BigIntegerField(default=0)
    outcome = models.CharField(max_length=16, choices=Outcome, default=Outcome.NONE)
    latency_ms = models.IntegerField(default=0)
    late_ms = models.IntegerField(default=0)
    percent = models.PositiveSmallIntegerField(default=100)
    times = models.IntegerField(default=-1)


class Late(models.Model):
    """An effect that is still to come. Until then every call about its subject is answered with Busy."""

    subject = models.CharField(max_length=36, db_index=True)
    host = models.BigIntegerField()
    call = models.CharField(max_length=64)
    arguments = models.JSONField()
    due_at = models.DateTimeField()
