"""Secondary storage that no worker mounts, NFS: hosts of the zone fetch, store and remove there."""

from contextlib import suppress
from typing import Any

from apps.core.errors import ResourceUnavailable
from apps.hypervisors.base import ImageRules, ImageSpec
from apps.hypervisors.errors import Busy, DriverError, Refused, Unknown
from apps.images.models import TemplateCopy
from apps.images.services.copies import GIB
from apps.infrastructure.drivers import driver_for
from apps.infrastructure.models import Host

ASK = 20.0  # seconds of a call: the work goes on behind it
SIMULATED = "Simulator"


def host_of(copy: TemplateCopy, before: int = 0) -> Host | None:
    """Who does it: the host that began it while that is up, else the one with the fewest machines."""
    hosts = Host.all_tenants.filter(zone=copy.zone_id, type="Routing", status=Host.Status.UP)
    hosts = hosts.exclude(hypervisor=SIMULATED)
    return hosts.filter(pk=before).first() or hosts.order_by("guests", "pk").first()


def bring(host: Host, copy: TemplateCopy, most_gib: int, allowed: tuple[str, ...]) -> tuple[int, int] | None:
    """Bytes of the file and of the disk in it; None while it is being done, or nobody knows. Raises Refused. A file URL
    would name a file of the host: none is read.
    """
    template = copy.template
    image = ImageSpec(str(template.uuid), template.url, template.format, checksum=template.checksum)
    rules = ImageRules(most_gib * GIB, most_gib * GIB, allowed)
    try:
        stored = _images(host).bring(image, _store(copy), _name(copy), rules, within=ASK)
    except (Busy, Unknown):
        return None
    return stored.stored_bytes, stored.virtual_bytes


def percent(host: Host, copy: TemplateCopy) -> int:
    """How far the host is; 0 where it does not say."""
    with suppress(DriverError, AttributeError):
        for task in driver_for(host).tasks.running(within=ASK):
            if task.get("subject") == f"{_store(copy)}/{_name(copy)}" and task.get("total"):
                return min(99, int(task["done"]) * 100 // int(task["total"]))
    return 0


def remove(copy: TemplateCopy, before: int = 0) -> None:
    """Ensure no file of it is there, and that ``before``, who was bringing it, does so no more."""
    host = host_of(copy, before)
    if host is None:
        raise ResourceUnavailable("no host of the zone is up that could delete the file in secondary storage")
    try:
        _images(host).remove(_store(copy), _name(copy), within=ASK)
    except DriverError as error:
        raise ResourceUnavailable(f"the file in secondary storage cannot be deleted now: {error}") from error


def _images(host: Host) -> Any:
    images = getattr(driver_for(host), "images", None)
    if images is None:
        raise Refused(f"hosts of {host.hypervisor} do not fill secondary storage")
    return images


def _store(copy: TemplateCopy) -> str:
    return str(copy.store.url).rstrip("/") if copy.store else ""


def _name(copy: TemplateCopy) -> str:
    return f"template/{copy.path}"
