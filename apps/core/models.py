"""Rows of the kernel itself: open questions, tags and details."""

from django.db import models

from apps.core.rows import PathField


class Question(models.Model):
    """An effect outside was asked for and nobody knows yet whether it happened. See outcomes.py."""

    kind = models.CharField(max_length=64)
    row_id = models.BigIntegerField()
    due_at = models.DateTimeField(db_index=True)
    tries = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "row_id"], name="one_question_per_row")]


class Tag(models.Model):
    """One table for the tags of every kind of row; kinds are model labels. Owner and place are copies of the row's, so
    that the tags of a domain are one index range: who writes those of the row writes these as well.
    """

    kind = models.CharField(max_length=64)
    row_id = models.BigIntegerField()
    key = models.CharField(max_length=255)
    value = models.CharField(max_length=255, default="")
    customer = models.CharField(max_length=255, default="")
    resource_type = models.CharField(max_length=32)  # what the wire calls the row: UserVm, ISO
    resource = models.UUIDField(db_index=True)  # the row's
    owner = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+", db_index=False)
    domain_path = PathField()
    in_project = models.BooleanField(default=False, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "row_id", "key"], name="one_tag_per_key")]
        indexes = [
            models.Index(fields=["kind", "key", "value"], name="tag_search"),
            models.Index(fields=["owner", "id"], name="tags_of_owner"),
            models.Index(fields=["domain_path", "in_project", "id"], name="tags_of_domain"),
        ]


class Detail(models.Model):
    """One table for the free name/value details of every kind of row."""

    kind = models.CharField(max_length=64)
    row_id = models.BigIntegerField()
    name = models.CharField(max_length=255)
    value = models.TextField(default="")
    display = models.BooleanField(default=True)  # shown to callers that are no administrators

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "row_id", "name"], name="one_detail_per_name")]
