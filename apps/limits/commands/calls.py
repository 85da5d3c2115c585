from typing import Any

from apps.accounts.models import Account
from apps.core.callers import ROOT, USER, Access
from apps.core.commands import NO_EVENT, Command, command
from apps.core.errors import UnsupportedAction
from apps.core.refs import Ref
from apps.core.responses import Plain
from apps.limits import throttle


class ApiLimitResponse(Plain):
    wire_name = "apilimit"
    fields = {
        "accountid": "string",
        "account": "string",
        "apiIssued": "integer",
        "apiAllowed": "integer",
        "expireAfter": "long",
    }


def insist_on_throttling() -> None:
    if not throttle.ENABLED.value():
        raise UnsupportedAction("This api is only available when api.throttling.enabled = true.")


@command("getApiLimit", roles=USER, response=ApiLimitResponse)
class GetApiLimit(Command):
    """Tells how many calls the account has made and may make, and when that is counted anew."""

    changes = False

    def run(self) -> dict[str, Any]:
        insist_on_throttling()
        account, window = self.caller.account, throttle.peek(self.caller.account)
        answer = {"accountid": str(account.uuid), "account": account.name, "apiIssued": window.issued}
        return {"apilimit": {**answer, "apiAllowed": throttle.MOST.value(), "expireAfter": window.ends_in}}


@command("resetApiLimit", roles=ROOT, event=NO_EVENT, response=None)
class ResetApiLimit(Command):
    """Counts the calls of an account, or of all accounts, anew."""

    in_batches = True

    account = Ref("accounts.Account", Access.OPERATE, help_text="the account; all without it")

    def run(self, account: Account | None = None) -> None:
        insist_on_throttling()
        throttle.reset(account)
