from apps.core.schedules import scheduled
from apps.machines.services import loads


@scheduled("machines.samples", every=600)
def forget_samples() -> None:
    loads.forget_old()
