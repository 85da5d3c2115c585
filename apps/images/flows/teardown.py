"""Take down the templates of an account, with their files and with what others shared with it."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.core.ownership import release
from apps.images.flows.download import remove_file
from apps.images.models import Template, TemplateCopy, TemplateShare
from apps.images.services import copies
from apps.jobs.flows import Flow, Step, Wait

BATCH = 20


@dataclass
class Teardown:
    account_id: int


def remove_templates(ctx: Teardown) -> None:
    """In batches: a step ends within its lease, however many rows there are."""
    TemplateShare.objects.filter(account=ctx.account_id).delete()
    mine = Template.objects.owned_by(ctx.account_id).select_related("owner__domain")
    arriving = copies.living(state=TemplateCopy.State.CREATING).values("template")
    for template in mine.exclude(pk__in=arriving)[:BATCH]:
        for copy in copies.living(template=template).select_related("store", "template__owner__domain"):
            remove_file(copy)
            copies.forget(copy)
        release(Template.including_removed.select_related("owner__domain").get(pk=template.pk))
    if mine.exists():
        raise Wait(0 if mine.exclude(pk__in=arriving).exists() else 5)


def keys(ctx: Teardown) -> Iterable[str]:
    return [template.lock_key for template in Template.objects.owned_by(ctx.account_id)]


def nothing(ctx: Teardown) -> None:
    """The step did it all."""


TEARDOWN = Flow(
    "images.teardown", Teardown, (Step(remove_templates),), on_success=nothing, on_failure=nothing, locks=keys
)
