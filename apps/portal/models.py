"""What the portal keeps of its own: how a user likes its pages, drafts, which forms were sent, what was begun here."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext as _


class Preference(models.Model):
    """Of one user: ``{"columns": {"machines": [...]}, "size": 25, "keys": False}``."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    values = models.JSONField(default=dict)


class Draft(models.Model):
    """A wizard that was begun; one of a kind for a user, so that it is found again."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=32)
    values = models.JSONField(default=dict)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="one_draft_of_a_kind")]


class SentForm(models.Model):
    """A form is sent once: whoever inserts its token carries it out, all others are led to what came of it."""

    token = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    went_to = models.CharField(max_length=255, default="")  # the address of what came of it; "" while under way
    created = models.DateTimeField(auto_now_add=True, db_index=True)


class Begun(models.Model):
    """What a user asked for here, one row an item: the jobs panel and the results of bulk actions show it."""

    class State(models.TextChoices):
        PENDING = "IN_PROGRESS"
        DONE = "SUCCEEDED"
        FAILED = "FAILED"  # its job ended so
        REFUSED = "refused"  # nothing was begun

    ENDED: ClassVar[tuple[str, ...]] = (State.DONE, State.FAILED, State.REFUSED)

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    group = models.UUIDField(default=uuid.uuid4)  # what was asked for at once
    command = models.CharField(max_length=96)
    kind = models.CharField(max_length=64, default="")  # label of the model of the row that it is about
    row = models.CharField(max_length=36, default="")  # its uuid
    name = models.CharField(max_length=255, default="")  # and name, of then
    job = models.CharField(max_length=36, default="")
    state = models.CharField(max_length=16, choices=State, default=State.PENDING)
    text = models.TextField(default="")  # of the error
    code = models.IntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "created"], name="begun_by_user"),
            models.Index(fields=["group"], name="begun_together"),
            models.Index(fields=["job"], name="begun_as_job"),
            models.Index(fields=["created"], name="begun_expiry"),
        ]

    @property
    def state_said(self) -> str:
        words = {self.State.DONE: _("Succeeded"), self.State.FAILED: _("Failed"), self.State.REFUSED: _("Refused")}
        return words.get(self.State(self.state), _("In progress"))
