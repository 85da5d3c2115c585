"""Forms about machines that say more than their declaration: what is lost, what is kept, which rows fit."""

import base64
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.compute.kinds import MACHINE
from apps.portal.compute.reach import ways
from apps.portal.frame.fields import Option
from apps.portal.frame.forms import Form
from apps.portal.storage.kinds import VOLUME
from apps.portal.visits import Row

Text = str | Promise


class OfMachine(Form):
    about = (MACHINE.label, "id")

    @property
    def home(self) -> str:
        return MACHINE.url(str(self.row.get("id", "")))

    @cached_property
    def volumes(self) -> list[Row]:
        if not self.visit.may("listVolumes"):
            return []
        return list(VOLUME.rows(self.visit, virtualmachineid=self.row["id"], page=1, pagesize=100).rows)

    @property
    def disks(self) -> list[Row]:
        return [volume for volume in self.volumes if volume.get("type") != "ROOT"]


def sized(volume: Row) -> str:
    return f"{volume['name']}, {looks.size(volume.get('size'))}"


class Destroy(OfMachine):
    command = "destroyVirtualMachine"
    danger = True
    first = ("volumeids", "expunge")
    folded = ("forced",)
    labels = {
        "volumeids": gettext_lazy("Also delete its data volumes"),
        "expunge": gettext_lazy("Expunge now: it cannot be recovered"),
    }
    hints = {"volumeids": "", "expunge": gettext_lazy("It may be left to administrators")}
    note = gettext_lazy("It stops at once. Until it is expunged an administrator can recover it; then it is gone.")
    types_name = True

    @property
    def lost(self) -> Sequence[Text]:  # type: ignore[override]
        found = [_("Root disk %(name)s") % {"name": sized(v)} for v in self.volumes if v.get("type") == "ROOT"]
        addresses = [nic["ipaddress"] for nic in self.row.get("nic", []) if nic.get("ipaddress")]
        if addresses:
            found.append(_("Address %(addresses)s") % {"addresses": ", ".join(addresses)})
        rules = [way for way in ways(self.visit, self.row) if way.url]
        if rules:
            found.append(_("Ways in: %(ways)s") % {"ways": ", ".join(way.use for way in rules)})
        return found

    @property
    def kept(self) -> Sequence[Text]:  # type: ignore[override]
        found = [_("Volume %(name)s, detached, unless you tick it") % {"name": sized(volume)} for volume in self.disks]
        if self.row.get("publicip"):
            found.append(_("Public address %(address)s") % {"address": self.row["publicip"]})
        return found

    def options(self, name: str) -> list[Option] | None:
        if name != "volumeids":
            return super().options(name)
        chosen = self.value(name) or []
        return [Option(v["id"], sized(v), v["id"] in chosen) for v in self.disks]

    @cached_property
    def shown_first(self) -> list[str]:
        return [name for name in self.first if name in self.declared and (name != "volumeids" or self.disks)]

    def went_to(self, begun: Any, answer: Mapping[str, Any], back: str) -> str:
        """A tenant's list does not show it any more."""
        return super().went_to(begun, answer, MACHINE.url())


class Expunge(OfMachine):
    command = "expungeVirtualMachine"
    danger = True
    types_name = True
    folded = ()
    note = gettext_lazy("Nothing brings it back.")

    @property
    def lost(self) -> Sequence[Text]:  # type: ignore[override]
        return [_("Root disk %(name)s") % {"name": sized(v)} for v in self.volumes if v.get("type") == "ROOT"]

    def went_to(self, begun: Any, answer: Mapping[str, Any], back: str) -> str:
        return super().went_to(begun, answer, MACHINE.url())


class Restore(OfMachine):
    command = "restoreVirtualMachine"
    about = (MACHINE.label, "virtualmachineid")
    danger = True
    types_name = True
    first = ("templateid", "rootdisksize")
    folded = ()
    nothings = {"templateid": gettext_lazy("the template that it came from")}
    note = gettext_lazy("It gets a fresh root disk from a template.")
    kept = (gettext_lazy("Data volumes, addresses and rules"),)

    @property
    def lost(self) -> Sequence[Text]:  # type: ignore[override]
        return [_("All that is on %(name)s") % {"name": sized(v)} for v in self.volumes if v.get("type") == "ROOT"]

    def narrow(self, name: str) -> dict[str, Any]:
        return {"zoneid": self.row["zoneid"]} if name == "templateid" else {}


class Upgrade(OfMachine):
    command = "changeServiceForVirtualMachine"
    folded = ()
    note = gettext_lazy("It holds from the next start.")

    def options(self, name: str) -> list[Option] | None:
        found = super().options(name)
        current = self.row.get("serviceofferingid")
        return [option for option in found if option.value != current] if found else found


class InsertIso(OfMachine):
    command = "attachIso"
    about = (MACHINE.label, "virtualmachineid")
    first = ("id",)
    folded = ()
    labels = {"id": gettext_lazy("ISO")}

    @cached_property
    def declared(self) -> Any:
        return {"id": self.spec.fields["id"]}

    def options(self, name: str) -> list[Option] | None:
        if not self.visit.may("listIsos"):
            return None
        given = {"isofilter": "executable", "zoneid": self.row["zoneid"], "listall": "true", "page": 1, "pagesize": 200}
        rows = self.visit.list("listIsos", **given).rows
        return [Option(row["id"], row.get("displaytext") or row["name"], row["id"] == self.value(name)) for row in rows]


class ResetPassword(OfMachine):
    command = "resetPasswordForVirtualMachine"
    folded = ("password",)
    hints = {"password": gettext_lazy("One is made up if you leave this empty")}
    note = gettext_lazy("The new password is told once, on the page of the job.")


class ResetKeys(OfMachine):
    command = "resetSSHKeyForVirtualMachine"
    first = ("keypair",)
    folded = ()
    hints = {"keypair": gettext_lazy("It replaces the keys that the machine has")}

    def options(self, name: str) -> list[Option] | None:
        return key_pairs(self, name) if name == "keypair" else super().options(name)


def key_pairs(form: Form, name: str) -> list[Option] | None:
    if not form.visit.may("listSSHKeyPairs"):
        return None
    rows = form.visit.list("listSSHKeyPairs", page=1, pagesize=200).rows
    return [Option(row["name"], row["name"], row["name"] == form.value(name)) for row in rows]


class Edit(OfMachine):
    command = "updateVirtualMachine"
    first = ("displayname", "name", "group", "haenable", "deleteprotection", "isdynamicallyscalable")
    folded = ("ostypeid", "userdata")
    labels = {
        "haenable": gettext_lazy("Start it on another host if its host fails"),
        "deleteprotection": gettext_lazy("Protect it from deletion"),
        "isdynamicallyscalable": gettext_lazy("It may be given more while it runs"),
        "name": gettext_lazy("Host name"),
    }
    hints = {
        "name": gettext_lazy("Holds from the next start"),
        "haenable": "",
        "deleteprotection": "",
        "isdynamicallyscalable": "",
        "userdata": gettext_lazy("cloud-config or script; holds from the next start"),
    }

    def initial(self) -> Mapping[str, Any]:
        return {name: self.row.get(name, "") for name in (*self.first, "ostypeid")}

    def params(self) -> dict[str, Any]:
        found = super().params()
        if found.get("userdata"):
            found["userdata"] = base64.b64encode(str(found["userdata"]).encode()).decode()
        return found


class AddCard(OfMachine):
    command = "addNicToVirtualMachine"
    about = (MACHINE.label, "virtualmachineid")
    first = ("networkid", "ipaddress")
    folded = ("macaddress",)
    hints = {"ipaddress": gettext_lazy("Any free one if you leave this empty")}

    def narrow(self, name: str) -> dict[str, Any]:
        return {"zoneid": self.row["zoneid"]} if name == "networkid" else {}

    def options(self, name: str) -> list[Option] | None:
        found = super().options(name)
        has = {nic["networkid"] for nic in self.row.get("nic", [])}
        return [option for option in found if option.value not in has] if found and name == "networkid" else found


class OfCard(OfMachine):
    """Its card was named in the address, or is chosen."""

    about = (MACHINE.label, "virtualmachineid")
    folded = ()

    def more_hidden(self) -> dict[str, str]:
        return {"nicid": str(self.given["nicid"])} if self.given.get("nicid") else {}

    def narrow(self, name: str) -> dict[str, Any]:
        return {"virtualmachineid": self.row["id"]} if name == "nicid" else {}

    @property
    def card(self) -> Row:
        return next((nic for nic in self.row.get("nic", []) if nic["id"] == self.given.get("nicid")), {})


class RemoveCard(OfCard):
    command = "removeNicFromVirtualMachine"
    danger = True

    @property
    def verb(self) -> str:
        return _("Disconnect")

    @property
    def title(self) -> str:
        network = self.card.get("networkname", "")
        return _("Disconnect %(name)s from %(network)s?") % {"name": self.row_title, "network": network}

    @property
    def lost(self) -> Sequence[Text]:  # type: ignore[override]
        return [_("Address %(addresses)s") % {"addresses": self.card.get("ipaddress", "")}]


class MakeDefault(OfCard):
    command = "updateDefaultNicForVirtualMachine"
    note = gettext_lazy("Its way out goes through the default network.")

    @property
    def verb(self) -> str:
        return _("Make it the default")

    @property
    def title(self) -> str:
        network = self.card.get("networkname", "")
        return _("Make %(network)s the default network of %(name)s?") % {"network": network, "name": self.row_title}

    @property
    def button(self) -> str:
        return self.verb
