from django.apps import AppConfig


class Config(AppConfig):
    name = "apps.simulator"

    def ready(self) -> None:
        from apps.infrastructure import drivers
        from apps.simulator import schedules  # noqa: F401 - declared by its import
        from apps.simulator.driver import connect

        drivers.register("Simulator", connect)
