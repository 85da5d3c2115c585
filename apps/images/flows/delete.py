"""Delete templates: first the files, then the rows."""

from dataclasses import dataclass

from apps.core.ownership import release
from apps.images.flows.download import remove_file
from apps.images.models import Template
from apps.images.services import copies
from apps.jobs.flows import Flow, Step


@dataclass
class Delete:
    template_id: int
    zone_id: int = 0  # of all zones if 0


def remove_copies(ctx: Delete) -> None:
    which = {"zone": ctx.zone_id} if ctx.zone_id else {}
    for copy in copies.living(template=ctx.template_id, **which).select_related("store", "template__owner__domain"):
        remove_file(copy)
        copies.forget(copy)


def removed(ctx: Delete) -> None:
    """Without its last copy a template is gone, too."""
    if not copies.living(template=ctx.template_id).exists():
        release(Template.including_removed.select_related("owner__domain").get(pk=ctx.template_id))


def nothing(ctx: Delete) -> None:
    """What is still there can be deleted again."""


DELETE = Flow("images.delete", Delete, (Step(remove_copies, queue="storage"),), on_success=removed, on_failure=nothing)
