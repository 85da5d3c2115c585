"""Parameters that name an account in one of two ways."""

from collections.abc import Mapping
from typing import Any, ClassVar

from apps.core.callers import Access, Caller
from apps.core.errors import InvalidParameter
from apps.core.refs import Compound, Known, Ref
from apps.core.scope import named_account
from apps.core.wire import Field, Str

ID = Ref("accounts.Account", Access.OPERATE, help_text="the id of the account")


class AccountById(Compound):
    """``id``, or ``account`` with ``domainid``; yields the account, which the caller may operate."""

    parts: ClassVar[dict[str, Field]] = {
        "id": ID,
        "account": Str(length=100, help_text="the name of the account, with domainid, in place of id"),
        "domainid": Known("domains.Domain", help_text="the domain of the account"),
    }

    def read(self, name: str, given: Mapping[str, Any], caller: Caller) -> Any:
        values = self.given_parts(given, caller)
        if values["id"] is not None:
            return values["id"]
        if not values["account"]:
            raise InvalidParameter("id, or account with domainid, must say which account")
        return named_account(caller, values["account"], values["domainid"])


class AccountByName(Compound):
    """``account`` with ``domainid``, both required."""

    parts: ClassVar[dict[str, Field]] = {
        "account": Str(length=100, required=True, help_text="the name of the account"),
        "domainid": Known("domains.Domain", required=True, help_text="the domain of the account"),
    }

    def read(self, name: str, given: Mapping[str, Any], caller: Caller) -> Any:
        values = self.given_parts(given, caller)
        return named_account(caller, values["account"], values["domainid"])


def own_domain(caller: Caller, domain: Any) -> Any:
    """The domain that was named, or the caller's."""
    return domain if domain is not None else caller.account.domain
