"""The part of state-machines.md 1.7 that is in use."""

from apps.core.states import StateMachine, T
from apps.images.models import TemplateCopy

S = TemplateCopy.State

COPY = StateMachine(
    T(S.ALLOCATED, "CreateOnlyRequested", S.CREATING),
    T(S.CREATING, "OperationSucceeded", S.READY),
    T(S.CREATING, "OperationFailed", S.ALLOCATED),
    T(S.ALLOCATED, "OperationFailed", S.FAILED),
    T(S.ALLOCATED, "DestroyRequested", S.DESTROYING),
    T(S.READY, "DestroyRequested", S.DESTROYING),
    T(S.FAILED, "DestroyRequested", S.DESTROYING),
    T(S.DESTROYING, "DestroyRequested", S.DESTROYING),
    T(S.DESTROYING, "OperationSucceeded", S.DESTROYED),
)
