"""Disable an account: close it, then let every app above stop what runs for it. All stays where it is."""

from dataclasses import dataclass, field

from apps.accounts.flows.delete import account
from apps.accounts.ports import halts
from apps.accounts.states import ACCOUNT
from apps.jobs.flows import Flow, Step, join


@dataclass
class Disable:
    account_id: int
    children: dict[str, int] = field(default_factory=dict)


def close(ctx: Disable) -> None:
    ACCOUNT.fire(account(ctx), "disable")


def halt(ctx: Disable) -> None:
    for answer in halts.all():
        join(ctx.children, answer.flow, answer.context(ctx.account_id), key=f"{answer.flow.name}:{ctx.account_id}")


def nothing(ctx: Disable) -> None:
    """What could not be stopped runs on; the account is closed all the same, and the call may be repeated."""


DISABLE = Flow(
    "accounts.disable",
    Disable,
    steps=(Step(close), Step(halt)),
    on_success=nothing,
    on_failure=nothing,
    result=account,
    locks=lambda ctx: [account(ctx).lock_key],
)
