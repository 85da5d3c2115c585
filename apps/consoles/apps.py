from django.apps import AppConfig


class Config(AppConfig):
    name = "apps.consoles"

    def ready(self) -> None:
        from apps.consoles import schedules  # noqa: F401
