"""state-machines.md 1.3, and of 2.7 the life of a public address."""

from apps.core.states import StateMachine, T
from apps.network.models import Network, PublicAddress

S, A = Network.State, PublicAddress.State

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

ADDRESS = StateMachine(
    T(A.ALLOCATING, "Assigned", A.ALLOCATED, usage="NET.IPASSIGN"),
    T(A.ALLOCATING, "Refused", A.RELEASING),
    T(A.RESERVED, "Associated", A.ALLOCATING),
    T(A.RESERVED, "Released", A.FREE),
    T(A.ALLOCATED, "Release", A.RELEASING, usage="NET.IPRELEASE"),
    T(A.RELEASING, "Release", A.RELEASING),
    T(A.RELEASING, "Released", A.FREE),
)
