from apps.consoles import services
from apps.core.schedules import scheduled


@scheduled("consoles.tickets", every=3600)
def drop_expired_tickets() -> None:
    services.drop_expired()
