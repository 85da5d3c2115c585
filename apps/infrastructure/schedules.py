from apps.core.schedules import scheduled
from apps.infrastructure.services import loads


@scheduled("hosts.samples", every=600)
def forget_samples() -> None:
    loads.forget_old()
