"""Primary and secondary storage."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.compute.kinds import MACHINE
from apps.portal.events.tabs import events_of
from apps.portal.frame.detail import Card, DetailPage, FactsCard, Tab
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.images.kinds import TEMPLATE
from apps.portal.infrastructure.kinds import IMAGE_STORE, POOL, ZONE
from apps.portal.infrastructure.looks import DISK_USE, STORE_USE, number
from apps.portal.infrastructure.zones import ID, POOL_COLUMNS, Changes, above

Text = str | Promise
GIB = 1 << 30


class PoolList(ListPage):
    at = "primary-storage"
    nav = "/primary-storage"
    kind = POOL
    columns = (*POOL_COLUMNS, "zonename")
    filters = ("zoneid", "clusterid", "scope", "status")
    own = {"diskuse": DISK_USE}
    searching = gettext_lazy("Name")
    hint = gettext_lazy("Disks of machines lie on primary storage, of one cluster or of a whole zone.")


class Spaces(Card):
    """Written by hand: what is promised and what is really used, as bars."""

    template = "portal/infrastructure/capacity.html"
    title = gettext_lazy("Space")
    bars: tuple[tuple[Text, str, str], ...] = ()

    @property
    def uses(self) -> list[dict[str, Any]]:
        found = []
        for label, used, total in self.bars:
            whole = number(self.row.get(total))
            if whole:
                shown = {"used": round(number(self.row.get(used)) / GIB, 1), "total": round(whole / GIB)}
                found.append({"label": label, "unit": "GiB", "mark": 0, "why": "", **shown})
        return found


class PoolSpaces(Spaces):
    bars = (
        (gettext_lazy("Promised"), "disksizeallocated", "capacitybytes"),
        (gettext_lazy("Really used"), "disksizeused", "disksizetotal"),
    )


class PoolFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "zonename",
        "podname",
        "clustername",
        "scope",
        "type",
        "provider",
        "hypervisor",
        "ipaddress",
        "path",
        "overprovisionfactor",
        "tags",
        "created",
        ID,
    )


class PoolPage(DetailPage):
    at = "primary-storage/<uuid:key>"
    also_at = ("primary-storage/<uuid:key>/<slug:tab>",)
    nav = "/primary-storage"
    kind = POOL
    buttons = ("updateStoragePool",)
    primary = {"Maintenance": "cancelStorageMaintenance"}
    main = (PoolSpaces,)
    side = (PoolFacts,)
    tabs = (
        Tab(MACHINE, "storageid", ("name", "state", "account", "hostname"), counted=True),
        events_of("StoragePool"),
    )

    @property
    def crumbs(self) -> list[tuple[Text, str]]:
        return [(POOL.many, POOL.url()), *above(self.row, ZONE)[1:]]


class NewPool(Form):
    command = "createStoragePool"
    first = ("name", "zoneid", "scope", "podid", "clusterid", "url")
    folded = ("hypervisor", "tags", "capacitybytes", "capacityiops")
    labels = {"url": gettext_lazy("Address")}
    hints = {
        "url": gettext_lazy("nfs://server/path, and others as its hosts have them"),
        "scope": gettext_lazy("CLUSTER needs a cluster, ZONE a hypervisor"),
        "tags": gettext_lazy("Offerings with these tags lie here; with commas"),
        "clusterid": gettext_lazy("Of the scope CLUSTER"),
        "podid": gettext_lazy("Of that cluster"),
        "hypervisor": gettext_lazy("Of the scope ZONE: whose hosts use it"),
    }

    def narrow(self, name: str) -> dict[str, Any]:
        return {"zoneid": self.given["zoneid"]} if name in ("podid", "clusterid") and self.given.get("zoneid") else {}


class ChangePool(Changes):
    command = "updateStoragePool"
    first = ("name", "tags")


class MaintainPool(Form):
    command = "enableStorageMaintenance"
    folded = ()
    note = gettext_lazy("The machines whose disks lie there stop. They start again when you end the maintenance.")
    kept = (gettext_lazy("All data on it"),)


class RemovePool(Form):
    command = "deleteStoragePool"
    danger = True
    types_name = True
    lost = (gettext_lazy("The storage here; disks that lie on it have to be gone before"),)
    kept = (gettext_lazy("What lies on the server itself"),)


class StoreList(ListPage):
    at = "secondary-storage"
    nav = "/secondary-storage"
    kind = IMAGE_STORE
    columns = ("name", "protocol", "url", "storeuse", "zonename")
    filters = ("zoneid", "provider", "protocol")
    own = {"storeuse": STORE_USE}
    searching = gettext_lazy("Name")
    hint = gettext_lazy("Templates, ISOs and snapshots lie on secondary storage, one or more for each zone.")


class StoreSpaces(Spaces):
    bars = ((gettext_lazy("In use"), "disksizeused", "disksizetotal"),)


class StoreFacts(FactsCard):
    title = gettext_lazy("Facts")
    facts = (
        "zonename",
        "protocol",
        "url",
        "providername",
        "scope",
        (gettext_lazy("Takes new images"), lambda row: looks.yes(not row.get("readonly"))),
        ID,
    )


class StorePage(DetailPage):
    at = "secondary-storage/<uuid:key>"
    also_at = ("secondary-storage/<uuid:key>/<slug:tab>",)
    nav = "/secondary-storage"
    kind = IMAGE_STORE
    buttons = ("updateImageStore",)
    main = (StoreSpaces,)
    side = (StoreFacts,)
    tabs = (
        Tab(TEMPLATE, "imagestoreid", ("name", "ostypename", "size", "format", "hypervisor")),
        events_of("ImageStore"),
    )


class NewStore(Form):
    command = "addImageStore"
    first = ("name", "provider", "url", "zoneid")
    labels = {"url": gettext_lazy("Address")}
    hints = {"url": gettext_lazy("nfs://server/path")}


class ChangeStore(Changes):
    command = "updateImageStore"


class RemoveStore(Form):
    command = "deleteImageStore"
    danger = True
    types_name = True
    lost = (gettext_lazy("The storage here; templates that lie nowhere else have to be gone before"),)
    kept = (gettext_lazy("What lies on the server itself"),)
