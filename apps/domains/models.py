"""The tree of domains."""

from typing import ClassVar

from django.db import models

from apps.core.reach import Reach, Tree
from apps.core.rows import PathField, Row


class Domain(Row):
    """A node of the tenants' tree. ``path`` is made of keys ("/1/7/"), so that a rename moves nothing."""

    reach: ClassVar[Reach] = Tree()
    guarded = Row.guarded | {"path", "parent", "wire_path"}

    name = models.CharField(max_length=255)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    path = PathField(db_index=True)
    wire_path = models.CharField(max_length=4096, default="ROOT", editable=False)  # "ROOT/a/b": what the wire shows
    network_domain = models.CharField(max_length=255, default="", blank=True)
    state = models.CharField(max_length=16, default="Active")
    created = models.DateTimeField(auto_now_add=True)

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["parent", "name", "alive"], name="one_domain_per_name")]
        # Those that live are counted for each list: in the index alone, for the rows are wide.
        indexes = [models.Index(fields=["removed", "path"], name="living_domains")]
