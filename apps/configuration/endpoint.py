import os

from apps.core.settings import Setting

# Where clients reach this server: a balancer or a proxy may stand before it, so that it cannot know by itself.
ENDPOINT = Setting(
    "endpoint.url",
    os.environ.get("ENDPOINT_URL", "http://localhost:8080/client/").rstrip("/").removesuffix("/api") + "/api",
    help_text="URL of the query API as clients reach it.",
)
