"""Who else may use a network of an account."""

from collections.abc import Iterable, Sequence
from typing import Any

from apps.accounts.models import Account
from apps.core.callers import USER, Access
from apps.core.commands import NO_EVENT, Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import MemoryListCommand
from apps.core.refs import Ref
from apps.core.responses import Plain
from apps.core.wire import List, Str, Uuid
from apps.network.models import Network, NetworkShare
from apps.network.services import sharing


def network_ref() -> Ref:
    return Ref("network.Network", Access.OPERATE, source="network", required=True, help_text="the network")


class Named(Command):
    """Accounts by id or name, and projects, of the domain of the network's owner: sharing does not cross domains."""

    networkid = network_ref()
    accounts = List(of=Str(length=100), source="names", help_text="accounts by name, of the domain of the network")
    accountids = List(of=Uuid(), source="account_ids", help_text="accounts by id; not with accounts")
    projectids = List(of=Uuid(), source="project_ids", help_text="projects by id")

    def named(
        self,
        network: Network,
        names: Sequence[str] = (),
        account_ids: Sequence[str] = (),
        project_ids: Sequence[str] = (),
    ) -> list[Account]:
        if names and account_ids:
            raise InvalidParameter("accounts and accountids cannot be given together")
        rows = Account.all_tenants.filter(domain=network.owner.domain_id, is_hidden=False).select_related("domain")
        users, projects = rows.exclude(type=Account.Type.PROJECT), rows.filter(type=Account.Type.PROJECT)
        found = self.all_of("accounts", names, users.filter(name__in=names), "name")
        found += self.all_of("accountids", account_ids, users.filter(uuid__in=account_ids), "uuid")
        found += self.all_of("projectids", project_ids, projects.filter(uuid__in=project_ids), "uuid")
        if not found:
            raise InvalidParameter("accounts, accountids or projectids must say who")
        return found

    @staticmethod
    def all_of(parameter: str, wanted: Sequence[str], rows: Iterable[Account], field: str) -> list[Account]:
        found = {str(getattr(row, field)): row for row in rows}
        if missing := [text for text in wanted if text not in found]:
            raise InvalidParameter(f"{parameter}: there is no {missing[0]} in the domain of the network")
        return [found[text] for text in wanted]


@command("createNetworkPermissions", roles=USER, event=NO_EVENT, response=None)
class CreateNetworkPermissions(Named):
    """Lets other accounts and projects of the same domain use a network."""

    def run(self, network: Network, **named: Any) -> None:
        sharing.share(network=network, accounts=self.named(network, **named))


@command("removeNetworkPermissions", roles=USER, event=NO_EVENT, response=None)
class RemoveNetworkPermissions(Named):
    """Ends what createNetworkPermissions allowed, for those who have no instances in the network."""

    def run(self, network: Network, **named: Any) -> None:
        sharing.unshare(network=network, accounts=self.named(network, **named))


@command("resetNetworkPermissions", roles=USER, event=NO_EVENT, response=None)
class ResetNetworkPermissions(Command):
    """Lets nobody but its owner use a network any more."""

    networkid = network_ref()

    def run(self, network: Network) -> None:
        sharing.unshare(network=network)


class NetworkPermissionResponse(Plain):
    wire_name = "networkpermission"
    fields = dict.fromkeys(
        ("networkid", "domainid", "domain", "accountid", "account", "projectid", "project"), "string"
    )


@command("listNetworkPermissions", roles=USER, response=NetworkPermissionResponse)
class ListNetworkPermissions(MemoryListCommand):
    """Lists who else may use a network."""

    networkid = network_ref()
    keyword = page = pagesize = None

    def entries(self, network: Network, **given: Any) -> list[dict[str, Any]]:
        shares = NetworkShare.objects.filter(row=network).select_related("account__domain").order_by("pk")
        return [self.said(network, share.account) for share in shares]

    @staticmethod
    def said(network: Network, account: Account) -> dict[str, Any]:
        word = "project" if account.is_project else "account"
        return {
            "networkid": str(network.uuid),
            "domainid": str(account.domain.uuid),
            "domain": account.domain.name,
            f"{word}id": str(account.uuid),
            word: account.name,
        }
