"""How a host looks after its networks by itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """In seconds. ``keep``: a bridge that nothing is plugged into stays so long, for what is to be plugged in may be on
    its way. ``look``: between looks at all that there is; what dies or is changed in a router is seen sooner.
    """

    keep: float = 300.0
    look: float = 180.0
