from django.apps import AppConfig


class Config(AppConfig):
    name = "apps.agents"

    def ready(self) -> None:
        from apps.agents import schedules  # noqa: F401
        from apps.agents.driver import connect
        from apps.agents.services import enrolment, joining
        from apps.infrastructure import drivers, ports

        drivers.register("KVM", connect, join=joining.join, has_system_machines=False)
        ports.host_removed.answer(lambda host: enrolment.give_up(str(host.uuid)))
