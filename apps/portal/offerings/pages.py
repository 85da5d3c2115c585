"""Offerings: lists, pages and editors."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.events.tabs import events_of
from apps.portal.frame.detail import DetailPage, FactsCard
from apps.portal.frame.forms import Form
from apps.portal.frame.listing import ListPage
from apps.portal.infrastructure.zones import ID, Changes
from apps.portal.network.looks import TYPE
from apps.portal.offerings.kinds import DISK_OFFERING, NETWORK_OFFERING, OFFERING
from apps.portal.visits import Row

Text = str | Promise


def domains_of(row: Row) -> str:
    return str(row.get("domain") or _("everybody"))


def zones_of(row: Row) -> str:
    return str(row.get("zone") or _("all zones"))


SOLD = ((gettext_lazy("Offered to"), domains_of), (gettext_lazy("Offered in"), zones_of))


class OfferingList(ListPage):
    at = "compute-offerings"
    nav = "/compute-offerings"
    kind = OFFERING
    columns = ("name", "state", "cpunumber", "cpuspeed", "memory", "storagetype", "hosttags", "offerha")
    filters = ("state", "zoneid", "domainid", "issystem")
    searching = gettext_lazy("Name or description")
    hint = gettext_lazy("A compute offering says how many cores and how much memory a machine gets.")


class OfferingFacts(FactsCard):
    title = gettext_lazy("What a machine gets")
    facts = (
        "displaytext",
        (gettext_lazy("Cores"), lambda row: looks.cores(row.get("cpunumber"), row.get("cpuspeed"))),
        "memory",
        "rootdisksize",
        "iscustomized",
        "limitcpuuse",
        "offerha",
        "isvolatile",
        "dynamicscalingenabled",
        "networkrate",
    )


class OfferingWhere(FactsCard):
    title = gettext_lazy("Where it runs, and for whom")
    facts = (*SOLD, "hosttags", "storagetags", "storagetype", "provisioningtype", "deploymentplanner", "created", ID)


class OfferingPage(DetailPage):
    at = "compute-offerings/<uuid:key>"
    also_at = ("compute-offerings/<uuid:key>/<slug:tab>",)
    nav = "/compute-offerings"
    kind = OFFERING
    buttons = ("updateServiceOffering",)
    main = (OfferingFacts,)
    side = (OfferingWhere,)
    tabs = (events_of("ServiceOffering"),)


class NewOffering(Form):
    command = "createServiceOffering"
    first = ("name", "displaytext", "cpunumber", "cpuspeed", "memory", "storagetype", "hosttags", "tags", "offerha")
    folded = (
        "customized",
        "mincpunumber",
        "maxcpunumber",
        "minmemory",
        "maxmemory",
        "rootdisksize",
        "networkrate",
        "provisioningtype",
        "deploymentplanner",
        "limitcpuuse",
        "isvolatile",
        "dynamicscalingenabled",
        "domainid",
        "zoneid",
    )
    labels = {
        "memory": gettext_lazy("Memory in MiB"),
        "cpuspeed": gettext_lazy("Speed in MHz"),
        "tags": gettext_lazy("Storage tags"),
    }
    hints = {
        "cpunumber": gettext_lazy("Empty: the customer chooses"),
        "memory": gettext_lazy("Empty: the customer chooses"),
        "cpuspeed": gettext_lazy("Of each core"),
        "hosttags": gettext_lazy("Only hosts with these tags; with commas"),
        "tags": gettext_lazy("Only storage with these tags; with commas"),
        "displaytext": gettext_lazy("What customers read; the name if you leave this empty"),
        "offerha": gettext_lazy("Machines are started again when their host fails"),
    }


class ChangeOffering(Changes):
    command = "updateServiceOffering"
    first = ("name", "displaytext", "state", "hosttags", "storagetags")
    folded = ("sortkey",)
    note = gettext_lazy("Machines that exist keep what they have; tags count at the next start.")
    hints = {
        "displaytext": gettext_lazy("What customers read"),
        "hosttags": gettext_lazy("Only hosts with these tags; with commas"),
        "storagetags": gettext_lazy("Only storage with these tags; with commas"),
    }


class RemoveOffering(Form):
    command = "deleteServiceOffering"
    danger = True
    folded = ()
    lost = (gettext_lazy("The offering: nothing new is made after it"),)
    kept = (gettext_lazy("What was made after it"),)


class DiskOfferingList(ListPage):
    at = "disk-offerings"
    nav = "/disk-offerings"
    kind = DISK_OFFERING
    columns = ("name", "state", "disksize", "iscustomized", "storagetype", "provisioningtype", "tags")
    filters = ("state", "zoneid", "domainid")
    labels = {"tags": gettext_lazy("Storage tags")}
    searching = gettext_lazy("Name or description")
    hint = gettext_lazy("A disk offering says how large a data disk is and where it may lie.")


class DiskOfferingFacts(FactsCard):
    title = gettext_lazy("What a disk gets")
    facts = ("displaytext", "disksize", "iscustomized", "miniops", "maxiops", "iscustomizediops")


class DiskOfferingWhere(FactsCard):
    title = gettext_lazy("Where it lies, and for whom")
    facts = (*SOLD, "tags", "storagetype", "provisioningtype", "created", ID)


class DiskOfferingPage(DetailPage):
    at = "disk-offerings/<uuid:key>"
    also_at = ("disk-offerings/<uuid:key>/<slug:tab>",)
    nav = "/disk-offerings"
    kind = DISK_OFFERING
    buttons = ("updateDiskOffering",)
    main = (DiskOfferingFacts,)
    side = (DiskOfferingWhere,)
    labels = {"tags": gettext_lazy("Storage tags")}
    tabs = (events_of("DiskOffering"),)


class NewDiskOffering(Form):
    command = "createDiskOffering"
    first = ("name", "displaytext", "disksize", "tags", "customized")
    labels = {"disksize": gettext_lazy("Size in GiB"), "tags": gettext_lazy("Storage tags")}
    hints = {
        "disksize": gettext_lazy("Empty where the customer chooses"),
        "tags": gettext_lazy("Only storage with these tags; with commas"),
        "displaytext": gettext_lazy("What customers read; the name if you leave this empty"),
        "customized": "",
    }


class ChangeDiskOffering(Changes):
    command = "updateDiskOffering"
    first = ("name", "displaytext", "state", "tags")
    folded = ("displayoffering", "sortkey")
    labels = {"tags": gettext_lazy("Storage tags")}


class RemoveDiskOffering(RemoveOffering):
    command = "deleteDiskOffering"


class NetworkOfferingList(ListPage):
    at = "network-offerings"
    nav = "/network-offerings"
    kind = NETWORK_OFFERING
    columns = ("name", "state", "guestiptype", "availability", "egressdefaultpolicy", "forvpc", "isdefault")
    filters = ("state", "guestiptype", "zoneid", "forvpc", "isdefault")
    dressing = {"guestiptype": TYPE}
    searching = gettext_lazy("Name or description")
    hint = gettext_lazy("A network offering says which services a network has, and who provides them.")


def services_of(row: Row) -> str:
    return ", ".join(each["name"] for each in row.get("service", []))


class NetworkOfferingFacts(FactsCard):
    title = gettext_lazy("What a network gets")
    facts = (
        "displaytext",
        (gettext_lazy("Kind"), lambda row: TYPE.cell(row.get("guestiptype"))),
        (gettext_lazy("Services"), services_of),
        "egressdefaultpolicy",
        "conservemode",
        "ispersistent",
        "forvpc",
        "specifyvlan",
        "specifyipranges",
        "networkrate",
        "maxconnections",
    )


class NetworkOfferingWhere(FactsCard):
    title = gettext_lazy("Where, and for whom")
    facts = (*SOLD, "availability", "isdefault", "tags", "created", ID)


class NetworkOfferingPage(DetailPage):
    at = "network-offerings/<uuid:key>"
    also_at = ("network-offerings/<uuid:key>/<slug:tab>",)
    nav = "/network-offerings"
    kind = NETWORK_OFFERING
    buttons = ("updateNetworkOffering",)
    main = (NetworkOfferingFacts,)
    side = (NetworkOfferingWhere,)
    tabs = (events_of("NetworkOffering"),)


class NewNetworkOffering(Form):
    """Written by hand: services and their providers are a map on the wire, here boxes to tick."""

    command = "createNetworkOffering"
    first = ("name", "displaytext", "guestiptype", "supportedservices", "egressdefaultpolicy", "enable")
    folded = (
        "conservemode",
        "ispersistent",
        "specifyvlan",
        "specifyipranges",
        "forvpc",
        "networkrate",
        "maxconnections",
        "serviceofferingid",
        "tags",
        "domainid",
        "zoneid",
    )
    labels = {"enable": gettext_lazy("Enabled at once")}
    hints = {
        "supportedservices": "",
        "enable": "",
        "displaytext": gettext_lazy("What customers read; the name if you leave this empty"),
        "egressdefaultpolicy": gettext_lazy("Until rules refuse it"),
    }
    SERVICES = ("Dhcp", "Dns", "UserData", "SourceNat", "StaticNat", "PortForwarding", "Firewall")

    def more_hidden(self) -> dict[str, str]:
        return {"traffictype": "Guest"}

    def options(self, name: str) -> Any:
        from apps.portal.frame.fields import Option

        if name != "supportedservices":
            return super().options(name)
        chosen = self.given.get(name, self.SERVICES if "_token" not in self.given else ())
        return [Option(each, each, each in chosen) for each in self.SERVICES]

    def params(self) -> dict[str, Any]:
        found = super().params()
        services = [each for each in found.get("supportedservices", "").split(",") if each]
        if services:
            found["serviceproviderlist"] = [{"service": each, "provider": "VirtualRouter"} for each in services]
        return found


class ChangeNetworkOffering(Changes):
    command = "updateNetworkOffering"
    first = ("name", "displaytext", "state", "availability")
    folded = ("tags", "sortkey", "maxconnections")


class RemoveNetworkOffering(RemoveOffering):
    command = "deleteNetworkOffering"
