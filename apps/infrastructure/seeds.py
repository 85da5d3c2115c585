import os

from apps.core.seeds import seed
from apps.infrastructure.models import Region


@seed("infrastructure.region")
def region() -> None:
    endpoint = os.environ.get("ENDPOINT_URL", "http://localhost:8080/client/")
    Region.objects.get_or_create(pk=1, defaults={"name": "Local", "endpoint": endpoint})
