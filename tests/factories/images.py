from apps.images.models import HypervisorCapabilities, ImageStore, OsCategory, OsType


def _saved(row):
    row.save()
    return row


def _category():
    return OsCategory.all_tenants.first() or _saved(OsCategory(name="Other"))


ROWS = {
    "images.OsCategory": lambda make, owner: _saved(OsCategory(name="Other")),
    "images.OsType": lambda make, owner: _saved(OsType(name="Other (64-bit)", category=_category())),
    "images.HypervisorCapabilities": lambda make, owner: _saved(HypervisorCapabilities(hypervisor="KVM")),
    "images.ImageStore": lambda make, owner: _saved(ImageStore(name="s", url="nfs://h/p", zone=make.zone())),
}
