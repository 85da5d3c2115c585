"""Regions have numbers on the wire, not uuids: clients compare them with 1."""

from typing import Any

from django.db import IntegrityError, transaction

from apps.core.callers import ROOT, USER
from apps.core.commands import NO_EVENT, Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import ListCommand
from apps.core.responses import Computed, Field, Response
from apps.core.wire import Int, Str
from apps.infrastructure.models import Region


class RegionResponse(Response):
    wire_name = "region"
    model = "infrastructure.Region"

    id = Field("id", type="integer")
    name = Field()
    endpoint = Field()
    gslbserviceenabled = Computed((), lambda: True, type="boolean")
    portableipserviceenabled = Computed((), bool, type="boolean")


def found(number: int) -> Region:
    region = Region.objects.filter(pk=number).first()
    if region is None:
        raise InvalidParameter(f"id: there is no region {number}")
    return region


def saved(region: Region) -> Region:
    try:
        with transaction.atomic():
            region.save()
    except IntegrityError:
        raise InvalidParameter(f"name: there is a region {region.name} already") from None
    return region


@command("addRegion", roles=ROOT, event=NO_EVENT, response=RegionResponse)
class AddRegion(Command):
    """Tells of another region, and where its API is."""

    id = Int(required=True, min_value=1, help_text="its number")
    name = Str(required=True, help_text="its name, unique")
    endpoint = Str(required=True, help_text="URL of its API")

    def run(self, id: int, **values: Any) -> Region:
        if Region.objects.filter(pk=id).exists():
            raise InvalidParameter(f"id: there is a region {id} already")
        return saved(Region(id=id, **values))


@command("updateRegion", roles=ROOT, event=NO_EVENT, response=RegionResponse)
class UpdateRegion(Command):
    """Changes name or endpoint of a region."""

    id = Int(required=True, help_text="its number")
    name = Str(help_text="its new name")
    endpoint = Str(help_text="URL of its API")

    def run(self, id: int, **values: Any) -> Region:
        region = found(id)
        for name, value in values.items():
            setattr(region, name, value)
        return saved(region)


@command("removeRegion", roles=ROOT, event=NO_EVENT, response=None)
class RemoveRegion(Command):
    """Forgets another region."""

    id = Int(required=True, help_text="its number")

    def run(self, id: int) -> None:
        if id == 1:
            raise InvalidParameter("id: region 1 is this one")
        found(id).delete()


@command("listRegions", roles=USER, response=RegionResponse)
class ListRegions(ListCommand):
    """Lists regions."""

    model = "infrastructure.Region"
    keyword_in = ("name",)
    id = Int(lookup="pk", help_text="only the one with this number")
    filters = {"name": "name"}

    def visible(self, given: dict[str, Any]) -> Any:
        return Region.objects.all()
