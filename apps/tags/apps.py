from django.apps import AppConfig


class Config(AppConfig):
    name = "apps.tags"

    def ready(self) -> None:
        from apps.tags import audits  # noqa: F401
