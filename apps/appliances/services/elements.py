"""What of a provider can be switched on."""

from apps.appliances.models import Element
from apps.core.retry import atomically
from apps.infrastructure.models import PhysicalNetwork, ServiceProvider


def network_made(network: PhysicalNetwork) -> None:
    """Providers that have an element have it from the beginning, switched off."""
    for provider in ServiceProvider.all_tenants.filter(physical_network=network, name__in=Element.Kind.values):
        ensure(provider)


@atomically
def ensure(provider: ServiceProvider) -> Element:
    found = Element.all_tenants.filter(provider=provider).first()
    if found is None:
        found = Element(provider=provider, kind=provider.name)
        found.save()
    return found


@atomically
def configure(*, element: Element, enabled: bool) -> Element:
    element.enabled = enabled
    element.save(update_fields=["enabled"])
    return element


def lacking(provider: ServiceProvider) -> str:
    """Answers ``infrastructure.provider_lacks``: a provider with an element serves when that is switched on."""
    off = Element.all_tenants.filter(provider=provider, enabled=False)
    return "its element is not enabled" if off.exists() else ""
