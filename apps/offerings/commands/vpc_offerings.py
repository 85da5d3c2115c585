from typing import Any

from apps.core.callers import ROOT, USER, Access
from apps.core.commands import AsyncCommand, CreateCommand, command
from apps.core.refs import Ref
from apps.core.wire import Bool, Int, Str
from apps.offerings.commands import params
from apps.offerings.commands.network_offerings import (
    CAPABILITIES,
    PROVIDERS,
    ROUTER,
    SERVICES,
    STATE,
    ServicesList,
)
from apps.offerings.commands.responses import VpcOfferingResponse
from apps.offerings.models import VpcOffering
from apps.offerings.services import offerings, vpc_offerings

OFFERING = Ref("offerings.VpcOffering", Access.OPERATE, source="offering", required=True, help_text="the offering")


@command("createVPCOffering", roles=ROOT, event="VPC.OFFERING.CREATE", response=VpcOfferingResponse, locks=())
class CreateVpcOffering(CreateCommand):
    """Creates a VPC offering; it is Disabled until it is enabled."""

    name = params.NAME
    displaytext = params.DISPLAY_TEXT
    enable = Bool(help_text="make it Enabled at once")
    servicecapabilitylist = CAPABILITIES
    serviceofferingid = ROUTER
    serviceproviderlist = PROVIDERS
    supportedservices = SERVICES
    domainid = params.domains()
    zoneid = params.zones()

    def create(self, **given: Any) -> VpcOffering:
        places = params.places_of(self.caller, given, new=True)
        return vpc_offerings.create(places=places, **given)

    def run(self, row: VpcOffering, **given: Any) -> VpcOffering:
        return row

    def failed(self, row: VpcOffering) -> None:
        row.mark_removed()


@command(
    "updateVPCOffering", roles=ROOT, event="VPC.OFFERING.UPDATE", response=VpcOfferingResponse, locks=("offering",)
)
class UpdateVpcOffering(AsyncCommand):
    """Changes what a VPC offering is called, where it is offered, and whether it is."""

    id = OFFERING
    name = Str(help_text="the name")
    displaytext = params.DISPLAY_TEXT
    sortkey = Int(source="sort_key", help_text=params.SORT_KEY)
    state = STATE
    domainid = params.domains(params.Everywhere)
    zoneid = params.zones(params.Everywhere)

    def run(self, offering: VpcOffering, **given: Any) -> VpcOffering:
        places = params.places_of(self.caller, given, new=False)
        return offerings.change(offering=offering, places=places, **given)


@command("deleteVPCOffering", roles=ROOT, event="VPC.OFFERING.DELETE", response=None, locks=("offering",))
class DeleteVpcOffering(AsyncCommand):
    """Withdraws a VPC offering that no VPC uses."""

    id = OFFERING

    def run(self, offering: VpcOffering) -> None:
        vpc_offerings.remove(offering=offering)


@command("listVPCOfferings", roles=USER, response=VpcOfferingResponse)
class ListVpcOfferings(ServicesList):
    """Lists VPC offerings."""

    model = "offerings.VpcOffering"
    filters = {"name": "name", "state": "state", "displaytext": "display_text"}
