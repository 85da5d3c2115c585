"""The part of state-machines.md 1.10 that is in use: may a host get machines?"""

from apps.core.states import StateMachine, T
from apps.infrastructure.models import Host

S = Host.ResourceState

HOST = StateMachine(
    T(S.ENABLED, "Enable", S.ENABLED),
    T(S.ENABLED, "Disable", S.DISABLED),
    T(S.DISABLED, "Enable", S.ENABLED),
    T(S.DISABLED, "Disable", S.DISABLED),
    T(S.ENABLED, "AdminAskMaintenance", S.PREPARE),
    T(S.ERROR, "AdminAskMaintenance", S.PREPARE),
    T(S.PREPARE, "InternalEnterMaintenance", S.MAINTENANCE),
    T(S.PREPARE, "AdminCancelMaintenance", S.ENABLED),
    T(S.PREPARE, "UnableToMaintain", S.ERROR),
    T(S.MAINTENANCE, "AdminCancelMaintenance", S.ENABLED),
    T(S.ERROR, "AdminCancelMaintenance", S.ENABLED),
    column="resource_state",
)
