from typing import Any

from apps.core.callers import ROOT, Access
from apps.core.commands import Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import ListCommand
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool, Long, Map, Str
from apps.images.commands.responses import ImageStoreResponse, SecondaryStorageResponse
from apps.images.flows import download
from apps.images.models import ImageStore
from apps.images.services import stores

MOST_BYTES = 1 << 54  # of a store: what many of them hold together is still a number that databases know
ZONE = Ref("infrastructure.Zone", Access.OPERATE, source="zone", help_text="the zone")
STORE = Ref("images.ImageStore", Access.OPERATE, source="store", required=True, help_text="the image store")


def added(**given: Any) -> ImageStore:
    store = stores.add(**given)
    download.fill(store)
    return store


@command("addImageStore", roles=ROOT, event="IMAGE.STORE.ACCESS.UPDATED", response=ImageStoreResponse)
class AddImageStore(Command):
    """Adds secondary storage to a zone; templates for all zones are brought there."""

    provider = Str(required=True, choices=("NFS",), help_text="NFS")
    name = Str(help_text="the name; the URL if absent")
    url = Str(length=2048, help_text="nfs://server/path, or file:///path of a directory")
    zoneid = ZONE
    details = Map(keys=("key", "value"), help_text="free details, key and value")

    def run(self, provider: str, url: str = "", zone: Any = None, name: str = "", details: Any = ()) -> ImageStore:
        if any("key" not in record or "value" not in record for record in details):
            raise InvalidParameter("details: each has key and value")
        given = {record["key"]: record["value"] for record in details}
        return added(zone=zone, url=url, name=name, details=given)


@command("addSecondaryStorage", roles=ROOT, event="IMAGE.STORE.ACCESS.UPDATED", response=SecondaryStorageResponse)
class AddSecondaryStorage(Command):
    """Adds secondary storage to a zone, in the older form."""

    url = Str(required=True, help_text="nfs://server/path, or file:///path of a directory")
    zoneid = ZONE
    details = Map(style="merged", help_text="free details")

    def run(self, url: str, zone: Any = None, details: Any = None) -> ImageStore:
        return added(zone=zone, url=url, details=details)


@command("updateImageStore", roles=ROOT, event="IMAGE.STORE.ACCESS.UPDATED", response=ImageStoreResponse)
class UpdateImageStore(Command):
    """Changes name, size or read-only mode of an image store."""

    id = STORE
    name = Str(help_text="the name")
    capacitybytes = Long(source="capacity_bytes", min_value=1, max_value=MOST_BYTES, help_text="bytes that it holds")
    readonly = Bool(source="is_readonly", help_text="whether nothing new comes there")

    def run(self, store: ImageStore, **changes: Any) -> ImageStore:
        return stores.update(store=store, **changes)


@command("deleteImageStore", roles=ROOT, event="IMAGE.STORE.ACCESS.UPDATED", response=None)
class DeleteImageStore(Command):
    """Removes an image store that holds nothing of customers."""

    id = STORE

    def run(self, store: ImageStore) -> None:
        stores.delete(store=store)


@command("listImageStores", roles=ROOT, response=ImageStoreResponse)
class ListImageStores(ListCommand):
    """Lists the secondary storage of zones."""

    model = "images.ImageStore"
    keyword_in = ("name",)
    filters = {
        "name": "name",
        "protocol": "protocol",
        "provider": "provider",
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
    }
    readonly = Bool(lookup="is_readonly", help_text="list those where nothing new comes, or the others")
