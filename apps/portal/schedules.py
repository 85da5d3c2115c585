"""What the portal does every so often."""

from apps.core.schedules import scheduled
from apps.portal import services


@scheduled("portal.forget", every=3600)
def forget() -> None:
    services.forget()
