"""Take down the SSH key pairs of an account."""

from dataclasses import dataclass

from apps.accounts.models import SshKeyPair
from apps.core.ownership import release
from apps.jobs.flows import Flow, Step


@dataclass
class Teardown:
    account_id: int


def remove_key_pairs(ctx: Teardown) -> None:
    for row in SshKeyPair.objects.owned_by(ctx.account_id):
        release(row)


def nothing(ctx: Teardown) -> None:
    """The step did it all."""


TEARDOWN = Flow("accounts.teardown", Teardown, (Step(remove_key_pairs),), on_success=nothing, on_failure=nothing)
