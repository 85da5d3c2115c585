"""What must be true of templates and of the files in real image stores."""

from collections.abc import Iterator

from apps.core.audit import audit
from apps.images.models import ImageStore, TemplateCopy


@audit("images: every copy has a template and a store that exist")
def orphans() -> Iterator[str]:
    rows = TemplateCopy.all_tenants.exclude(template__removed=None) | TemplateCopy.all_tenants.exclude(
        store__removed=None
    )
    for uuid in rows.values_list("uuid", flat=True):
        yield f"copy {uuid}: its template or its store is removed"


@audit("images: every file of a store that is a directory belongs to a copy")
def files() -> Iterator[str]:
    from apps.images.services.stores import root_of

    known = {(copy.store_id, copy.path) for copy in TemplateCopy.all_tenants.all()}
    for store in ImageStore.all_tenants.filter(protocol="file"):
        root = root_of(store)
        for path in sorted(root.glob("template/*/*")) if root else ():
            name = str(path.relative_to(root / "template")).split(".")[0] if root else ""
            if (store.pk, name) not in known:
                yield f"image store {store.name}: nobody knows the file {name}"
