from django.apps import AppConfig


class Config(AppConfig):
    name = "apps.appliances"

    def ready(self) -> None:
        from apps.appliances import audits  # noqa: F401
        from apps.appliances.flows.zone import evacuate, look_at
        from apps.appliances.services import elements, places, routers
        from apps.infrastructure import ports as infrastructure
        from apps.network import ports as network

        network.providers.answer(routers.VirtualRouters())
        network.sections.answer(("router", routers.section))
        infrastructure.zone_enabled.answer(look_at)
        infrastructure.network_made.answer(elements.network_made)
        infrastructure.provider_lacks.answer(elements.lacking)
        infrastructure.in_use.answer(places.in_use)
        infrastructure.stays.answer(places.stays)
        infrastructure.evacuate.answer(evacuate)
