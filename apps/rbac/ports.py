"""What roles ask of the apps above."""

from collections.abc import Callable

from apps.core.ports import Port

in_use: Port[Callable[[int], bool]] = Port("rbac.in_use")  # is the role with this key given to anybody?
