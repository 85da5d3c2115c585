"""Networks of accounts that their owners let other accounts use."""

from collections.abc import Iterable
from typing import Any

from apps.accounts.models import Account
from apps.core.errors import InvalidParameter, ResourceInUse
from apps.core.retry import atomically
from apps.network import ports
from apps.network.models import Network, NetworkShare


def check(network: Network) -> None:
    if network.acl_type != "Account":
        raise InvalidParameter(f"networkid: network {network.name} is for a domain, not for accounts")


@atomically
def share(*, network: Network, accounts: Iterable[Account]) -> None:
    check(network)
    others = [account for account in accounts if account.pk != network.owner_id]
    NetworkShare.objects.bulk_create(
        [NetworkShare(row=network, account=account) for account in others], ignore_conflicts=True
    )


@atomically
def unshare(*, network: Network, accounts: Iterable[Account] | None = None) -> None:
    """Those accounts, or none at all, may use it any more; an account with machines there keeps it until they go."""
    check(network)
    shares = NetworkShare.objects.filter(row=network)
    if accounts is not None:
        shares = shares.filter(account__in=[account.pk for account in accounts])
    for key, name in shares.values_list("account", "account__name"):
        if any(answer(network, key) for answer in ports.used_by.all()):
            raise ResourceInUse(f"networkid: account {name} has instances in network {network.name}")
    shares.delete()


def may_use(network: Network, account: Any) -> bool:
    """May machines of this account be in the network, whoever asks for them?"""
    if network.is_public or network.owner_id == account.pk:
        return True
    *above, own = (int(key) for key in account.domain.path.strip("/").split("/"))
    if network.domain_id is not None and network.acl_type == "Domain":
        return network.domain_id == own or (network.subdomain_access and network.domain_id in above)
    return NetworkShare.objects.filter(row=network, account=account.pk).exists()
