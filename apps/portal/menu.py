"""The menu at the left: families of resources, of which a role sees what it may list."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.portal import looks
from apps.portal.totals import EXACT, totals
from apps.portal.visits import Visit

Text = str | Promise


@dataclass(frozen=True)
class Place:
    label: Text
    icon: str
    url: str
    needs: str = ""  # the command that its page lists with
    total: str = ""  # field of the account with how many there are
    # The command whose rows an operator is told the number of. None where more rows are gone than there are: counting
    # the first thousand would pass all of those.
    listing: str = ""
    key: str = ""  # `g` and this key lead here


@dataclass(frozen=True)
class Shown:
    place: Place
    count: str
    current: bool


PLACES: list[tuple[Text, list[Place]]] = [
    ("", [Place(_("Dashboard"), "home", "/", key="d")]),
    (
        _("Compute"),
        [
            Place(_("Machines"), "server-2", "/machines", "listVirtualMachines", "vmtotal", key="m"),
            Place(_("Volumes"), "database", "/volumes", "listVolumes", "volumetotal", key="v"),
            Place(_("Templates"), "template", "/templates", "listTemplates"),
            Place(_("ISOs"), "disc", "/isos", "listIsos"),
            Place(_("Key pairs"), "key", "/key-pairs", "listSSHKeyPairs"),
        ],
    ),
    (
        _("Network"),
        [
            Place(_("Networks"), "topology-star-3", "/networks", "listNetworks", "networktotal", key="n"),
            Place(_("Public addresses"), "map-pin", "/addresses", "listPublicIpAddresses", "iptotal"),
            Place(_("Security groups"), "shield", "/security-groups", "listSecurityGroups"),
        ],
    ),
    (
        _("Infrastructure"),
        [
            Place(_("Zones"), "building", "/zones", "listPods", listing="listZones"),
            Place(_("Hosts"), "server", "/hosts", "listHosts", listing="listHosts"),
            Place(_("Primary storage"), "database", "/primary-storage", "listStoragePools", listing="listStoragePools"),
            Place(_("Secondary storage"), "box", "/secondary-storage", "listImageStores", listing="listImageStores"),
            Place(_("System machines"), "cpu", "/system-machines", "listSystemVms", listing="listSystemVms"),
            Place(_("Virtual routers"), "router", "/routers", "listRouters", listing="listRouters"),
        ],
    ),
    (
        _("Offerings"),
        [
            Place(_("Compute"), "adjustments-horizontal", "/compute-offerings", "updateServiceOffering"),
            Place(_("Disk"), "disc", "/disk-offerings", "updateDiskOffering"),
            Place(_("Network"), "topology-star-3", "/network-offerings", "updateNetworkOffering"),
        ],
    ),
    (
        _("Tenants"),
        [
            Place(_("Domains"), "sitemap", "/domains", "listDomainChildren", listing="listDomains"),
            Place(_("Accounts"), "users", "/accounts", "createUser", listing="listAccounts"),
            Place(_("Users"), "user", "/users", "createUser"),
            Place(_("Roles"), "user-shield", "/roles", "listRoles", listing="listRoles"),
        ],
    ),
    (
        _("Operation"),
        [
            Place(_("Alerts"), "alert-triangle", "/alerts", "listAlerts", listing="listAlerts"),
            Place(_("Global settings"), "settings", "/settings", "resetConfiguration"),
        ],
    ),
    (
        _("Account"),
        [
            Place(_("Limits and usage"), "activity", "/limits", "listResourceLimits"),
            Place(_("Events"), "history", "/events", "listEvents"),
            Place(_("Jobs"), "list-check", "/jobs", listing="listAsyncJobs", key="j"),
        ],
    ),
]


def places(visit: Visit) -> Iterator[tuple[Text, list[Place]]]:
    for family, entries in PLACES:
        if mine := [place for place in entries if not place.needs or visit.may(place.needs)]:
            yield family, mine


def shown(visit: Visit, current: str) -> list[tuple[Text, list[Shown]]]:
    counts = _counts(visit)
    return [
        (family, [Shown(place, counts.get(place.url, ""), place.url == current) for place in entries])
        for family, entries in places(visit)
    ]


def _counts(visit: Visit) -> dict[str, str]:
    """Of their own account for tenants; of all that is there for operators, and for those who see a part of it none."""
    every = [place for _family, entries in PLACES for place in entries]
    if visit.who.is_root:
        found = totals(visit, [place.listing for place in every if place.listing])
        return {place.url: _said(found[place.listing]) for place in every if place.listing in found}
    if visit.who.is_domain_admin:
        return {}
    return {place.url: looks.number(visit.account[place.total]) for place in every if place.total in visit.account}


def _said(count: int) -> str:
    return looks.number(count) if count <= EXACT else f"{looks.number(EXACT)}+"
