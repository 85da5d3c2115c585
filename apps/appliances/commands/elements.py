from typing import Any, ClassVar

from apps.appliances.commands.responses import BalancerElementResponse, RouterElementResponse
from apps.appliances.models import Element
from apps.appliances.services import elements
from apps.core.callers import ROOT, Access
from apps.core.commands import AsyncCommand, CreateCommand, command
from apps.core.errors import InvalidParameter
from apps.core.lists import ListCommand
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool
from apps.infrastructure.models import ServiceProvider

ENABLED = Bool(required=True, help_text="switch it on or off")


@command(
    "configureVirtualRouterElement",
    roles=ROOT,
    event="NETWORK.ELEMENT.CONFIGURE",
    response=RouterElementResponse,
    locks=("element",),
)
class ConfigureVirtualRouterElement(AsyncCommand):
    """Switches the virtual routers of a provider on or off."""

    id = Ref("appliances.RouterElement", Access.OPERATE, source="element", required=True, help_text="the element")
    enabled = ENABLED

    def run(self, element: Element, enabled: bool) -> Element:
        return elements.configure(element=element, enabled=enabled)


@command(
    "configureInternalLoadBalancerElement",
    roles=ROOT,
    event="NETWORK.ELEMENT.CONFIGURE",
    response=BalancerElementResponse,
    locks=("element",),
)
class ConfigureInternalLoadBalancerElement(AsyncCommand):
    """Switches the internal balancers of a provider on or off."""

    id = Ref("appliances.BalancerElement", Access.OPERATE, source="element", required=True, help_text="the element")
    enabled = ENABLED

    def run(self, element: Element, enabled: bool) -> Element:
        return elements.configure(element=element, enabled=enabled)


def provider_ref() -> Ref:
    return Ref(
        "infrastructure.ServiceProvider", Access.OPERATE, source="provider", required=True, help_text="the provider"
    )


class CreateElement(CreateCommand):
    """Gives a provider its element."""

    kinds: ClassVar[tuple[str, ...]] = ()

    def create(self, provider: ServiceProvider, **values: Any) -> Element:
        if provider.name not in self.kinds:
            raise InvalidParameter(f"nspid: provider {provider.name} has no such element")
        return elements.ensure(provider)

    def run(self, row: Element, **values: Any) -> Element:
        return row

    def failed(self, row: Element) -> None:
        """The element is the provider's own and stays."""


@command(
    "createVirtualRouterElement",
    roles=ROOT,
    event="SERVICE.PROVIDER.CREATE",
    response=RouterElementResponse,
    locks=("provider",),
)
class CreateVirtualRouterElement(CreateElement):
    """Gives a provider the element that switches its routers; the same one where it has it already."""

    nspid = provider_ref()
    kinds = (Element.Kind.ROUTER, Element.Kind.VPC_ROUTER)


@command(
    "createInternalLoadBalancerElement",
    roles=ROOT,
    event="SERVICE.PROVIDER.CREATE",
    response=BalancerElementResponse,
    locks=("provider",),
)
class CreateInternalLoadBalancerElement(CreateElement):
    """Gives a provider the element that switches its balancers; the same one where it has it already."""

    nspid = provider_ref()
    kinds = (Element.Kind.BALANCER,)


def of_providers() -> dict[str, Any]:
    return {
        "enabled": Bool(lookup="enabled", help_text="those that are switched on, or off"),
        "nspid": RefFilter("infrastructure.ServiceProvider", "provider"),
    }


@command("listVirtualRouterElements", roles=ROOT, response=RouterElementResponse)
class ListVirtualRouterElements(ListCommand):
    """Lists the elements that switch virtual routers."""

    model, filters = "appliances.RouterElement", of_providers()


@command("listInternalLoadBalancerElements", roles=ROOT, response=BalancerElementResponse)
class ListInternalLoadBalancerElements(ListCommand):
    """Lists the elements that switch internal balancers."""

    model, filters = "appliances.BalancerElement", of_providers()
