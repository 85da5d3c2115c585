from typing import Any

from django.db.models import QuerySet

from apps.core.callers import ROOT, USER, Access
from apps.core.commands import AsyncCommand, Command, CreateCommand, command
from apps.core.errors import InvalidParameter
from apps.core.refs import Owner, Ref
from apps.core.wire import Bool, Str, Uuid
from apps.infrastructure.models import Zone
from apps.network.commands.responses import AcquiredAddressResponse
from apps.network.models import Network, PublicAddress, RangeAddress
from apps.network.services import devices, networks, public, ranges

A = PublicAddress.State


def address_ref(*, required: bool = True) -> Ref:
    return Ref("network.PublicAddress", Access.OPERATE, source="address", required=required, help_text="the address")


def shown() -> Bool:
    return Bool(source="is_displayed", allowed=ROOT, help_text="is it shown to its user")


@command("associateIpAddress", roles=USER, event="NET.IPASSIGN", response=AcquiredAddressResponse, locks=("network",))
class AssociateIpAddress(CreateCommand):
    """Acquires a public address for a network; the first one of a network with source NAT serves that."""

    networkid = Ref("network.Network", Access.OPERATE, source="network", help_text="the network that it is for")
    zoneid = Ref(
        "infrastructure.Zone",
        Access.USE,
        source="zone",
        help_text="the zone, where no network is given: its owner's only isolated network there gets the address",
    )
    ipaddress = Str(length=64, source="wanted", help_text="this one, which is free or reserved; any if absent")
    fordisplay = shown()
    owner = Owner()

    def create(
        self, owner: Any, network: Network | None = None, zone: Zone | None = None, wanted: str = "", **values: Any
    ) -> PublicAddress:
        network = network or networks.only_isolated(owner, zone)
        if network.guest_type != "Isolated":
            raise InvalidParameter("networkid: only isolated networks have public addresses")
        ip = public.read(wanted) if wanted else None
        return public.associate(owner=network.owner, zone=network.zone, network=network, wanted=ip, **values)

    def run(self, row: PublicAddress, **values: Any) -> PublicAddress:
        if row.network_id:
            devices.tell(row.network_id)
        return public.assigned(row)

    def failed(self, row: PublicAddress) -> None:
        """It may be on a device already: it is free for others when that is known."""
        public.begin_release(row)


@command(
    "disassociateIpAddress", roles=USER, event="NET.IPRELEASE", response=None, locks=("address", "address.network")
)
class DisassociateIpAddress(AsyncCommand):
    """Gives a public address back, with its rules."""

    id = address_ref(required=False)
    ipaddress = Str(length=64, source="text", help_text="the address by its digits, in place of id")

    def run(self, address: PublicAddress | None = None, text: str = "") -> dict[str, Any]:
        row = address or self.found(text)
        public.check_releasable(row)
        if row.network_id is None:
            public.let_go(row)
        else:
            public.begin_release(row)
            devices.tell(row.network_id)
        return {"success": True}

    def found(self, text: str) -> PublicAddress:
        row = PublicAddress.objects.operable_by(self.caller).filter(ip=text).first() if text else None
        if row is None:
            raise InvalidParameter("id or ipaddress must name an address of the caller's")
        return row


@command("updateIpAddress", roles=USER, event="NET.IPUPDATE", response=AcquiredAddressResponse, locks=("address",))
class UpdateIpAddress(AsyncCommand):
    """Shows a public address to its user, or hides it."""

    id = address_ref()
    fordisplay = shown()

    def run(self, address: PublicAddress, **values: Any) -> PublicAddress:
        for name, value in values.items():
            setattr(address, name, value)
            address.save(update_fields=[name])
        return address


@command("reserveIpAddress", roles=USER, event="NET.IPRESERVE", response=AcquiredAddressResponse)
class ReserveIpAddress(Command):
    """Keeps a free public address for an account, until it is released or associated."""

    id = Uuid(required=True, source="uuid", help_text="the free address, as listPublicIpAddresses shows it")
    fordisplay = shown()
    owner = Owner()

    def run(self, uuid: str, owner: Any, **values: Any) -> PublicAddress:
        rows = RangeAddress.objects.filter(uuid=uuid, taken_by="", range__in=ranges.public().filter(allowed_to(owner)))
        free = rows.select_related("range__zone").first()
        if free is None:
            raise InvalidParameter(f"id: there is no free address {uuid} for the account")
        return public.reserve(owner=owner, free=free, **values)


@command("releaseIpAddress", roles=USER, event="NET.IPRELEASE", response=None)
class ReleaseIpAddress(Command):
    """Gives a reserved address back."""

    id = address_ref()

    def run(self, address: PublicAddress) -> None:
        if address.state != A.RESERVED:
            raise InvalidParameter(f"id: address {address.ip} is {address.state}, not Reserved")
        public.let_go(address)


def allowed_to(owner: Any) -> Any:
    return ranges.usable_by(owner)


def free_for(caller: Any) -> QuerySet[RangeAddress]:
    """Free public addresses that the caller's account could acquire; an operator sees all."""
    rows = ranges.public() if caller.is_root else ranges.public().filter(allowed_to(caller.account))
    return RangeAddress.objects.filter(range__in=rows, taken_by="")
