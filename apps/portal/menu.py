"""The menu at the left: families of resources, of which a role sees what it may list."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.portal.visits import Visit

Text = str | Promise


@dataclass(frozen=True)
class Place:
    label: Text
    icon: str
    url: str
    needs: str = ""  # the command that its page lists with
    total: str = ""  # field of the account with how many there are
    key: str = ""  # `g` and this key lead here


@dataclass(frozen=True)
class Shown:
    place: Place
    count: int | None
    current: bool


PLACES: list[tuple[Text, list[Place]]] = [
    ("", [Place(_("Dashboard"), "home", "/", key="d")]),
    (
        _("Compute"),
        [
            Place(_("Machines"), "server-2", "/machines", "listVirtualMachines", "vmtotal", "m"),
            Place(_("Volumes"), "database", "/volumes", "listVolumes", "volumetotal", "v"),
            Place(_("Templates"), "template", "/templates", "listTemplates"),
            Place(_("ISOs"), "disc", "/isos", "listIsos"),
            Place(_("Key pairs"), "key", "/key-pairs", "listSSHKeyPairs"),
        ],
    ),
    (
        _("Network"),
        [
            Place(_("Networks"), "topology-star-3", "/networks", "listNetworks", "networktotal", "n"),
            Place(_("Public addresses"), "map-pin", "/addresses", "listPublicIpAddresses", "iptotal"),
            Place(_("Security groups"), "shield", "/security-groups", "listSecurityGroups"),
        ],
    ),
    (
        _("Infrastructure"),
        [
            Place(_("Zones"), "building", "/zones", "listPods"),
            Place(_("Hosts"), "server", "/hosts", "listHosts"),
            Place(_("Primary storage"), "database", "/primary-storage", "listStoragePools"),
            Place(_("Secondary storage"), "box", "/secondary-storage", "listImageStores"),
            Place(_("System machines"), "cpu", "/system-machines", "listSystemVms"),
            Place(_("Virtual routers"), "router", "/routers", "listRouters"),
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
            Place(_("Domains"), "sitemap", "/domains", "listDomainChildren"),
            Place(_("Accounts"), "users", "/accounts", "createUser"),
            Place(_("Users"), "user", "/users", "createUser"),
            Place(_("Roles"), "user-shield", "/roles", "listRoles"),
        ],
    ),
    (
        _("Operation"),
        [
            Place(_("Alerts"), "alert-triangle", "/alerts", "listAlerts"),
            Place(_("Global settings"), "settings", "/settings", "resetConfiguration"),
        ],
    ),
    (
        _("Account"),
        [
            Place(_("Limits and usage"), "activity", "/limits", "listResourceLimits"),
            Place(_("Events"), "history", "/events", "listEvents"),
            Place(_("Jobs"), "list-check", "/jobs", key="j"),
        ],
    ),
]


def places(visit: Visit) -> Iterator[tuple[Text, list[Place]]]:
    for family, entries in PLACES:
        if mine := [place for place in entries if not place.needs or visit.may(place.needs)]:
            yield family, mine


def shown(visit: Visit, current: str) -> list[tuple[Text, list[Shown]]]:
    """Totals are those of the caller's own account, and no list of one who sees more shows so few."""
    totals = {} if visit.who.is_root or visit.who.is_domain_admin else visit.account
    found = []
    for family, entries in places(visit):
        found.append((family, [Shown(place, _count(totals, place), place.url == current) for place in entries]))
    return found


def _count(totals: dict[str, int], place: Place) -> int | None:
    return totals.get(place.total) if place.total else None
