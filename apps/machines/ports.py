"""What machines ask of the apps above."""

from collections.abc import Callable
from typing import Any

from apps.core.ports import Port

# A machine goes for good, or a card of it: who has rows that point there drops them, in the same transaction.
leaving: Port[Callable[[Any, list[int]], None]] = Port("machines.leaving", many=True, optional=True)
