from django.apps import AppConfig


class Config(AppConfig):
    name = "apps.network"

    def ready(self) -> None:
        from apps.accounts.ports import Teardown as Answer
        from apps.accounts.ports import teardown
        from apps.infrastructure import ports as infrastructure
        from apps.network import audits, ports, schedules  # noqa: F401
        from apps.network.capacity import amounts
        from apps.network.flows.teardown import TEARDOWN, Teardown
        from apps.network.services import segments
        from apps.network.services.public import Releasing

        teardown.answer(Answer(("network.Network", "network.PublicAddress"), TEARDOWN, Teardown), order=40)
        ports.leaving.answer(Releasing())
        infrastructure.vlans_changed.answer(segments.change)
        infrastructure.in_use.answer(segments.in_use)
        infrastructure.capacity.answer(amounts)
