"""Rows of the kernel itself: open questions, tags and details."""

from django.db import models


class Question(models.Model):
    """An effect outside was asked for and nobody knows yet whether it happened. See outcomes.py."""

    kind = models.CharField(max_length=64)
    row_id = models.BigIntegerField()
    due_at = models.DateTimeField(db_index=True)
    tries = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "row_id"], name="one_question_per_row")]


class Tag(models.Model):
    """One table for the tags of every kind of row; kinds are model labels. The owner is that of the row."""

    kind = models.CharField(max_length=64)
    row_id = models.BigIntegerField()
    key = models.CharField(max_length=255)
    value = models.CharField(max_length=255, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "row_id", "key"], name="one_tag_per_key")]
        indexes = [models.Index(fields=["kind", "key", "value"], name="tag_search")]


class Detail(models.Model):
    """One table for the free name/value details of every kind of row."""

    kind = models.CharField(max_length=64)
    row_id = models.BigIntegerField()
    name = models.CharField(max_length=255)
    value = models.TextField(default="")
    display = models.BooleanField(default=True)  # shown to callers that are no administrators

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "row_id", "name"], name="one_detail_per_name")]
