from django.apps import AppConfig


class Config(AppConfig):
    name = "apps.simulator"

    def ready(self) -> None:
        from apps.infrastructure import drivers
        from apps.simulator.driver import connect

        drivers.register("Simulator", connect)
