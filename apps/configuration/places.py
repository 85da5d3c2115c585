"""Where a setting may have a value of its own, and where else to look when it has none: StoragePool, Cluster, Zone;
ImageStore, Zone; Account, Domain; and in the end globally.
"""

from collections.abc import Iterator
from typing import Any

from apps.core.settings import Setting

Place = tuple[str, int]  # kind and key of the row
GLOBALLY: Place = ("", 0)
LABELS = {
    "zone": "infrastructure.Zone",
    "cluster": "infrastructure.Cluster",
    "storagepool": "storage.StoragePool",
    "imagestore": "images.ImageStore",
    "account": "accounts.Account",
    "domain": "domains.Domain",
}
WIRE = {"storagepool": "StoragePool", "imagestore": "ImageStore"}  # others are only capitalised

ACCOUNT_IN_DOMAIN = Setting(
    "enable.account.settings.for.domain",
    False,
    help_text="Settings of accounts may be set for a domain too, for all its accounts that have none of their own.",
)
BELOW = Setting(
    "enable.domain.settings.for.child.domain",
    False,
    help_text="What is set for a domain holds for the domains below it that have no value of their own.",
)


def kind_of(row: Any) -> str:
    return type(row).__name__.lower()


def wire_name(kind: str) -> str:
    return WIRE.get(kind, kind.capitalize())


def kinds_for(setting: Setting[Any]) -> tuple[str, ...]:
    """The kinds of rows at which this setting may be set now."""
    wider = "account" in setting.scopes and "domain" not in setting.scopes and ACCOUNT_IN_DOMAIN.value()
    return (*setting.scopes, "domain") if wider else setting.scopes


def places_of(setting: Setting[Any], row: Any) -> Iterator[Place]:
    """From the row outwards, those of the kinds that the setting has."""
    kinds = kinds_for(setting)
    for kind, key in _outwards(row):
        if kind in kinds and key is not None:
            yield kind, key
    yield GLOBALLY


def _outwards(row: Any) -> Iterator[tuple[str, int | None]]:
    kind = kind_of(row)
    yield kind, row.pk
    if kind == "storagepool":
        yield "cluster", row.cluster_id
    if kind in ("storagepool", "cluster", "imagestore"):
        yield "zone", row.zone_id
    if kind in ("account", "domain"):
        domain = row.domain if kind == "account" else row
        own, *above = [int(key) for key in reversed(domain.path.strip("/").split("/"))]
        yield "domain", own
        for key in above if BELOW.value() else ():
            yield "domain", key
