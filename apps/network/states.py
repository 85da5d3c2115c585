"""state-machines.md 1.3, as far as it is in use."""

from apps.core.states import StateMachine, T
from apps.network.models import Network

S = Network.State

NETWORK = StateMachine(
    T(S.ALLOCATED, "ImplementNetwork", S.IMPLEMENTING),
    T(S.ALLOCATED, "DestroyNetwork", S.DESTROY),
    T(S.SETUP, "DestroyNetwork", S.DESTROY),
    T(S.IMPLEMENTING, "OperationSucceeded", S.IMPLEMENTED),
    T(S.IMPLEMENTING, "OperationFailed", S.SHUTDOWN),
    T(S.IMPLEMENTED, "DestroyNetwork", S.SHUTDOWN),
    T(S.SHUTDOWN, "OperationSucceeded", S.ALLOCATED),
    T(S.SHUTDOWN, "OperationFailed", S.SHUTDOWN),
)
