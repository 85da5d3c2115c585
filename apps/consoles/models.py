from django.conf import settings
from django.db import models

from apps.machines.models import VirtualMachine


class Ticket(models.Model):
    """A token that opens one console once: kept as its digest, and gone with its use."""

    digest = models.CharField(max_length=64, unique=True)
    vm = models.ForeignKey(VirtualMachine, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    expires = models.DateTimeField(db_index=True)
