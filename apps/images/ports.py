"""What images ask of the apps above."""

from collections.abc import Callable

from apps.core.ports import Port
from apps.images.models import Template

# Why the template or ISO cannot be deleted, "" if it can: "in the drive of 2 instances".
in_use: Port[Callable[[Template], str]] = Port("images.in_use", many=True, optional=True)
