"""Who may speak for a host: the product's own authority, what it signed, who was invited, and what was heard last."""

from django.db import models

from apps.infrastructure.models import Host


class Authority(models.Model):
    """The highest number signs; certificates of all of them are believed, so that one can follow another."""

    number = models.PositiveIntegerField(unique=True)
    certificate = models.TextField()
    key = models.TextField()  # sealed
    created = models.DateTimeField(auto_now_add=True)


class Certificate(models.Model):
    class Role(models.TextChoices):
        MANAGER = "manager"
        HOST = "host"

    serial = models.CharField(max_length=40, unique=True)  # hexadecimal, as TLS libraries say it
    role = models.CharField(max_length=16, choices=Role)
    bearer = models.CharField(max_length=36)  # of hosts the uuid of the row
    certificate = models.TextField()
    key = models.TextField(default="")  # sealed; only the manager's own: that of a host never leaves it
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(db_index=True)
    revoked = models.DateTimeField(null=True, db_index=True)

    class Meta:
        indexes = [models.Index(fields=["role", "bearer"], name="certificates_of_bearer")]


class Enrolment(models.Model):
    """An invitation of one host. Its secret is good for one request, and for one ``addHost``."""

    secret = models.CharField(max_length=64, unique=True)  # SHA-256
    host = models.UUIDField(unique=True)  # what the row will be called
    expires = models.DateTimeField(db_index=True)
    request = models.CharField(max_length=64, default="")  # SHA-256 of the request that was answered
    certificate = models.ForeignKey(Certificate, models.PROTECT, null=True, related_name="+")


class Heard(models.Model):
    """The last report of a host: an older one is void."""

    host = models.OneToOneField(Host, models.PROTECT, related_name="heard")
    boot = models.CharField(max_length=32, default="")
    sequence = models.BigIntegerField(default=0)
