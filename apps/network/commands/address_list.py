"""listPublicIpAddresses tells of three things: addresses that accounts hold, the free ones of the same ranges
(``allocatedonly=false``), and those of shared networks (``forvirtualnetwork=false``), which operators see.
"""

from typing import Any

from django.db.models import Q, QuerySet

from apps.core.callers import ROOT, USER
from apps.core.commands import command
from apps.core.lists import OwnedListCommand, bounds
from apps.core.refs import RefFilter
from apps.core.wire import Bool
from apps.network.commands.addresses import free_for
from apps.network.commands.responses import AddressResponse, PoolAddressResponse
from apps.network.models import PublicAddress, RangeAddress

# Filters that hold for addresses nobody has, by the name of the lookup that they have there.
OF_POOL = {
    "ipaddress": "ip",
    "zoneid": "range__zone",
    "vlanid": "range",
    "physicalnetworkid": "range__physical_network",
    "forsystemvms": "range__for_system_vms",
    "networkid": "range__network",
    "associatednetworkid": "range__network",
}
ANSWERED = {"allocatedonly", "forvirtualnetwork", "state", "listall", "isrecursive", "only_count"}


@command("listPublicIpAddresses", roles=USER, response=AddressResponse)
class ListPublicIpAddresses(OwnedListCommand):
    """Lists public addresses that accounts hold and, if asked for, free ones."""

    model = "network.PublicAddress"
    keyword_in = ("ip",)
    tells_count = True
    filters = {
        "ipaddress": "ip",
        "state": "state",
        "issourcenat": Bool(lookup="is_source_nat", help_text="source NAT addresses, or others"),
        "fordisplay": Bool(lookup="is_displayed", allowed=ROOT, help_text="those that are shown, or not"),
        "associatednetworkid": RefFilter("network.Network", "network"),
        "networkid": RefFilter("network.Network", "network", source="of_network"),
        "physicalnetworkid": RefFilter("infrastructure.PhysicalNetwork", "address__range__physical_network"),
        "vlanid": RefFilter("network.IpRange", "address__range"),
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
        "forsystemvms": Bool(lookup="address__range__for_system_vms", help_text="of ranges for system machines only"),
        "allocatedonly": Bool(default=True, help_text="true: those that accounts hold; false: free ones too"),
        "forvirtualnetwork": Bool(default=True, help_text="false: addresses of shared networks, for operators"),
        "forloadbalancing": Bool(help_text="those with rules of balancers; there are none yet"),
        "isstaticnat": Bool(help_text="those that are mapped to one machine, or others"),
    }

    def run(self, page: int | None = None, pagesize: int | None = None, keyword: str = "", **given: Any) -> Any:
        if given["allocatedonly"] and given["forvirtualnetwork"]:
            return super().run(page=page, pagesize=pagesize, keyword=keyword, **given)
        start, size = bounds(page, pagesize)
        held, pool = self.rows(keyword, dict(given)), self.pool(keyword, given)
        mine, total = held.count(), held.count() + pool.count()
        if given.get("only_count") or not total:
            return {"count": total} if total else {}
        end = None if size is None else start + size
        found = AddressResponse.of(self.caller, list(held.order_by("pk").values_list("pk", flat=True)[start:end]))
        if end is None or end > mine:
            first, last = max(start - mine, 0), None if end is None else end - mine
            keys = list(pool.order_by("range", "number").values_list("pk", flat=True)[first:last])
            found += PoolAddressResponse.of(self.caller, keys)
        return {"count": total, self.spec.answering.wire_name: found} if found else {"count": total}

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        if given.get("forloadbalancing") or not given["forvirtualnetwork"]:
            return rows.none()
        if "isstaticnat" in given:
            rows = rows.filter(static_nat__isnull=not given["isstaticnat"])
        return rows

    def pool(self, keyword: str, given: dict[str, Any]) -> QuerySet[RangeAddress]:
        """Addresses that no account holds. What only a held one can be asked for finds none of them."""
        given = dict(given)
        given["networkid"] = given.pop("of_network", None)
        asked = {name for name, value in given.items() if value is not None} - ANSWERED
        if asked - OF_POOL.keys():
            return RangeAddress.objects.none()
        rows = self.of_shared_networks(given) if not given["forvirtualnetwork"] else free_for(self.caller)
        if state := given.get("state"):
            free = state.lower() == PublicAddress.State.FREE.lower()
            rows = rows.filter(taken_by="") if free else rows.exclude(taken_by="")
        rows = rows.filter(Q(ip__icontains=keyword)) if keyword else rows
        return rows.filter(**{OF_POOL[name]: given[name] for name in asked})

    def of_shared_networks(self, given: dict[str, Any]) -> QuerySet[RangeAddress]:
        if not self.caller.is_root:
            return RangeAddress.objects.none()
        rows = RangeAddress.objects.filter(range__for_virtual_network=False, range__is_lazy=False, range__removed=None)
        return rows.exclude(taken_by="") if given["allocatedonly"] else rows
