"""What offerings ask of the apps above."""

from collections.abc import Callable

from apps.core.ports import Port
from apps.offerings.models import Offering

# Why the offering cannot be withdrawn, "" if it can: "used by 3 networks".
in_use: Port[Callable[[Offering], str]] = Port("offerings.in_use", many=True, optional=True)
