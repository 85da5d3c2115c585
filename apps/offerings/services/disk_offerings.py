"""Disk offerings: sizes of volumes, fixed or chosen by the customer."""

from collections.abc import Mapping
from typing import Any

from apps.core.errors import InvalidParameter
from apps.offerings.models import DiskOffering
from apps.offerings.services import offerings
from apps.offerings.services.places import Places, comma_list

GIB = 1 << 30


def create(
    *, places: Places, details: Mapping[str, str], size_gib: int | None = None, customized: bool = False, **given: Any
) -> DiskOffering:
    if customized and size_gib:
        raise InvalidParameter("disksize: a customized offering leaves the size to the customer")
    if not customized and not size_gib:
        raise InvalidParameter("disksize: say the size in GiB, or customized=true")
    _check_iops(given)
    given["storage_tags"] = comma_list("tags", given.get("storage_tags", ""))
    offerings.checked_details("details", details)
    size = size_gib * GIB if size_gib else None
    return offerings.insert(DiskOffering(size_bytes=size, customized=customized, **given), places, details)


def _check_iops(given: Mapping[str, Any]) -> None:
    least, most = given.get("min_iops"), given.get("max_iops")
    if given.get("customized_iops") and (least is not None or most is not None):
        raise InvalidParameter("customizediops: miniops and maxiops are the customer's choice, leave them out")
    if (least is None) != (most is None):
        raise InvalidParameter("miniops and maxiops are given together")
    if least is not None and most is not None and least > most:
        raise InvalidParameter(f"miniops {least} is more than maxiops {most}")


def update(*, offering: DiskOffering, places: Places, **changes: Any) -> DiskOffering:
    if "storage_tags" in changes:
        changes["storage_tags"] = comma_list("tags", changes["storage_tags"])
    return offerings.change(offering=offering, places=places, **changes)
