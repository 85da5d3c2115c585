from django.apps import AppConfig


class Config(AppConfig):
    name = "apps.configuration"

    def ready(self) -> None:
        from apps.configuration import audits, endpoint, places  # noqa: F401
        from apps.configuration.store import STORE
        from apps.core import ports

        ports.settings.answer(STORE)
