"""Where a machine runs: a planner cuts the zone into parts, filters say which hosts fit, weighers which is tried first,
storage which pools go with it. All of that looks; ``reserve`` takes. See docs/placement.md.
"""

from apps.machines.models import Reservation
from apps.machines.services.placement.rehearsing import Rehearsal, elsewhere, rehearse
from apps.machines.services.placement.taking import held, reserve, reserve_pool, unreserve

__all__ = ["Rehearsal", "Reservation", "elsewhere", "held", "rehearse", "reserve", "reserve_pool", "unreserve"]
