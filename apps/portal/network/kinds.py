"""Networks, their addresses and rules."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.portal.kinds import Action, Kind
from apps.portal.visits import Row


def _source_nat(row: Row) -> Any:
    return _("the network goes out by it") if row.get("issourcenat") else None


def _with_rules(row: Row) -> Any:
    return _source_nat(row) or (_("ports of it are forwarded") if row.get("hasrules") else None)


def _is_mapped(row: Row) -> bool:
    return bool(row.get("isstaticnat"))


def _is_own(row: Row) -> bool:
    """Those that are shared with whole domains are the operator's; who is one is told whether they are displayed."""
    return row.get("acltype") != "Domain" or "displaynetwork" in row


NETWORK = Kind(
    "network.Network",
    _("network"),
    _("networks"),
    _("Networks"),
    "topology-star-3",
    "listNetworks",
    "networks",
    creating="createNetwork",
    searched=True,
    actions=(
        Action("restartNetwork", "refresh", states=("Implemented", "Setup"), asks=True, shown=_is_own),
        Action(
            "associateIpAddress",
            "map-pin",
            given={"networkid": "id"},
            asks=True,
            shown=lambda row: row.get("type") == "Isolated",
        ),
        Action("updateNetwork", "edit", asks=True, shown=_is_own),
        Action("deleteNetwork", "trash", asks=True, danger=True, shown=_is_own),
    ),
)
ADDRESS = Kind(
    "network.PublicAddress",
    _("public address"),
    _("public addresses"),
    _("Public addresses"),
    "map-pin",
    "listPublicIpAddresses",
    "addresses",
    titles=("ipaddress",),
    creating="associateIpAddress",
    has_page=False,
    searched=True,
    actions=(
        Action(
            "enableStaticNat",
            "route",
            states=("Allocated",),
            asks=True,
            unless=_with_rules,
            shown=lambda row: not _is_mapped(row),
        ),
        Action("disableStaticNat", "route", asks=True, shown=_is_mapped),
        Action("disassociateIpAddress", "trash", states=("Allocated",), asks=True, danger=True, unless=_source_nat),
    ),
)
FORWARDING = Kind(
    "firewall.Rule/forwarding",
    _("port forward"),
    _("port forwards"),
    _("Port forwards"),
    "route",
    "listPortForwardingRules",
    "port-forwards",
    has_page=False,
    titles=("publicport",),
    actions=(
        Action("updatePortForwardingRule", "edit", given={"id": "id"}, states=("Active",), asks=True),
        Action("deletePortForwardingRule", "trash", given={"id": "id"}, states=("Active",), danger=True),
    ),
)
FIREWALL = Kind(
    "firewall.Rule/firewall",
    _("firewall rule"),
    _("firewall rules"),
    _("Firewall rules"),
    "shield",
    "listFirewallRules",
    "firewall-rules",
    has_page=False,
    titles=("cidrlist",),
    actions=(Action("deleteFirewallRule", "trash", given={"id": "id"}, states=("Active",), danger=True),),
)
EGRESS = Kind(
    "firewall.Rule/egress",
    _("rule for the way out"),
    _("rules for the way out"),
    _("Rules for the way out"),
    "shield",
    "listEgressFirewallRules",
    "egress-rules",
    has_page=False,
    titles=("cidrlist",),
    actions=(Action("deleteEgressFirewallRule", "trash", given={"id": "id"}, states=("Active",), danger=True),),
)
