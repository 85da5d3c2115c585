"""How large a disk may be: what an operator sets, and what an offering leaves to the customer."""

from apps.core.errors import InvalidParameter
from apps.core.settings import Setting
from apps.offerings.models import DiskOffering

GIB = 1 << 30
LARGEST = Setting(
    "storage.max.volume.size",
    2000,
    help_text="The largest volume, in GiB.",
    category="Storage",
    minimum=1,
    maximum=1 << 20,
)
CUSTOM_LEAST = Setting(
    "custom.diskoffering.size.min", 1, help_text="The least size of a custom disk, in GiB.", minimum=1
)
CUSTOM_MOST = Setting("custom.diskoffering.size.max", 1024, help_text="The largest custom disk, in GiB.", minimum=1)


def ordered_size(offering: DiskOffering | None, size: int | None) -> int:
    """Bytes of a disk ordered with this offering and ``size`` GiB, either of which may be missing."""
    if offering is None:
        if size is None:
            raise InvalidParameter("size: say the size in GiB, or name a disk offering that has one")
        return largest(size)
    if not offering.customized:
        if size is not None:
            raise InvalidParameter(f"size: the disk offering {offering.name} has a size of its own; leave size out")
        return offering.size_bytes or 0
    if size is None:
        raise InvalidParameter(f"size: the disk offering {offering.name} leaves the size to you; say it in GiB")
    least, most = CUSTOM_LEAST.value(), CUSTOM_MOST.value()
    if not least <= size <= most:
        raise InvalidParameter(f"size: a custom disk has from {least} to {most} GiB, not {size}")
    return largest(size)


def largest(size: int, parameter: str = "size") -> int:
    if not 1 <= size <= LARGEST.value():
        raise InvalidParameter(f"{parameter}: a volume has from 1 to {LARGEST.value()} GiB, not {size}")
    return size * GIB
