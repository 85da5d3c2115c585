"""Image stores: where the templates and ISOs of a zone lie."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from apps.core.errors import InvalidParameter, ResourceInUse
from apps.core.models import Detail
from apps.core.retry import atomically
from apps.images.models import ImageStore
from apps.images.services import copies
from apps.infrastructure.models import Cluster, Zone

PROTOCOLS = {"nfs": "nfs", "file": "file", "": "file"}


@atomically
def add(*, zone: Zone | None, url: str, name: str = "", details: dict[str, str] | None = None) -> ImageStore:
    if zone is None:
        raise InvalidParameter("zoneid: this kind of image store belongs to a zone")
    parts = urlsplit(url)
    if parts.scheme not in PROTOCOLS or not parts.path.startswith("/") or ".." in Path(parts.path).parts:
        raise InvalidParameter("url: say nfs://server/path, or file:///path of a directory of the workers")
    if parts.scheme == "nfs" and not parts.hostname:
        raise InvalidParameter("url: nfs://server/path names a server")
    if parts.scheme != "nfs" and parts.netloc not in ("", "localhost"):
        raise InvalidParameter("url: a directory of the workers is file:///path")
    if ImageStore.all_tenants.filter(url=url).exists():
        raise InvalidParameter(f"url: an image store {url} exists already")
    store = ImageStore(zone=zone, name=name or url[:255], url=url, protocol=PROTOCOLS[parts.scheme])
    store.save()
    kind = store._meta.label_lower
    records = ((n, v) for n, v in (details or {}).items())
    Detail.objects.bulk_create(Detail(kind=kind, row_id=store.pk, name=n, value=v) for n, v in records)
    return store


def update(*, store: ImageStore, **changes: Any) -> ImageStore:
    if changes.get("name") == "":
        raise InvalidParameter("name: an image store has a name")
    for name, value in changes.items():
        setattr(store, name, value)
    if changes:
        store.save(update_fields=list(changes))
    return store


def hold(store: ImageStore) -> None:
    """Locked until the transaction ends: a store is not deleted while something is ordered into it, nor after."""
    if ImageStore.all_tenants.select_for_update().filter(pk=store.pk).first() is None:
        raise ResourceInUse(f"zoneid: the secondary storage {store.name} of the zone was removed; try again")


@atomically
def delete(*, store: ImageStore) -> None:
    """Copies of the installation's own templates go with it; those of customers are deleted first."""
    hold(store)
    theirs = copies.living(store=store).exclude(template__kind__in=copies.OF_THE_INSTALLATION)
    if count := theirs.count():
        raise ResourceInUse(f"id: image store {store.name} holds {count} templates and ISOs; delete them first")
    if copies.living(store=store, state="Creating").exists():
        raise ResourceInUse(f"id: image store {store.name} is being filled; try again later")
    for copy in copies.living(store=store):
        copies.forget(copy)
    store.mark_removed()


def is_simulated(store: ImageStore) -> bool:
    """What no worker mounts: the NFS of a zone that has no real hosts."""
    real = Cluster.all_tenants.filter(zone=store.zone).exclude(hypervisor="Simulator")
    return store.protocol != "file" and not real.exists()


def root_of(store: ImageStore) -> Path | None:
    return Path(urlsplit(store.url).path) if store.protocol == "file" else None
