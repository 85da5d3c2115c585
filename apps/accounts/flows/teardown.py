"""Take down the SSH key pairs of an account."""

from dataclasses import dataclass

from apps.accounts.models import SshKeyPair
from apps.core.ownership import release
from apps.jobs.flows import Flow, Step, Wait

BATCH = 500


@dataclass
class Teardown:
    account_id: int


def remove_key_pairs(ctx: Teardown) -> None:
    """In batches: a step ends within its lease, however many there are."""
    left = SshKeyPair.objects.owned_by(ctx.account_id)
    for row in left.select_related("owner__domain")[:BATCH]:
        release(row)
    if left.exists():
        raise Wait(0)


def nothing(ctx: Teardown) -> None:
    """The step did it all."""


TEARDOWN = Flow("accounts.teardown", Teardown, (Step(remove_key_pairs),), on_success=nothing, on_failure=nothing)
