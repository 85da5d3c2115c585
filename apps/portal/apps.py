from django.apps import AppConfig


class Config(AppConfig):
    name = "apps.portal"

    def ready(self) -> None:
        from apps.portal import schedules  # noqa: F401
