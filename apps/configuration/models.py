"""What operators set: only values that differ from the default have a row."""

from django.db import models


class Value(models.Model):
    """``kind`` and ``row_id`` name the row of a scoped setting; "" and 0 mean globally."""

    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=64, default="")
    row_id = models.BigIntegerField(default=0)
    value = models.TextField()  # secret settings are sealed
    updated = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=255, default="")  # provenance: domain path and user name

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "kind", "row_id"], name="one_value_per_scope")]
