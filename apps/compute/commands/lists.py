import re
from typing import Any

from django.db.models import Q, QuerySet

from apps.compute.commands.responses import InstanceResponse, NicResponse
from apps.compute.services import details
from apps.core.callers import ROOT, USER
from apps.core.commands import command
from apps.core.lists import ListCommand, OwnedListCommand
from apps.core.models import Detail
from apps.core.refs import RefFilter
from apps.core.settings import Setting
from apps.core.wire import Bool, Str
from apps.machines.models import Attachment, Nic, VirtualMachine

S = VirtualMachine.State
OF_ADDRESS = re.compile(r"[0-9a-fA-F.:]+")
SHOWN = Setting(
    "allow.user.view.destroyed.vm",
    False,
    scope="account",
    help_text="Owners see their machines until they are expunged.",
)
DESTROYED = (S.DESTROYED, S.EXPUNGING)


@command("listVirtualMachines", roles=USER, response=InstanceResponse)
class ListVirtualMachines(OwnedListCommand):
    """Lists instances."""

    model = "machines.VirtualMachine"
    has_ids = True
    details_words = (
        "all",
        "group",
        "nics",
        "stats",
        "secgrp",
        "tmpl",
        "servoff",
        "diskoff",
        "backoff",
        "iso",
        "volume",
        "min",
        "affgrp",
        "vnfnics",
    )
    filters = {
        "name": "name",
        "hypervisor": "hypervisor",
        "arch": "template__arch",
        "haenable": Bool(lookup="ha_enabled"),
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
        "podid": RefFilter("infrastructure.Pod", "host__pod", allowed=ROOT),
        "clusterid": RefFilter("infrastructure.Cluster", "host__cluster", allowed=ROOT),
        "hostid": RefFilter("infrastructure.Host", "host", allowed=ROOT),
        "serviceofferingid": RefFilter("offerings.ServiceOffering", "offering"),
        "templateid": RefFilter("images.Template", "template"),
        "isoid": RefFilter("images.Template", "iso"),
        "securitygroupid": RefFilter("firewall.SecurityGroup", "security_groups__group"),
        "groupid": RefFilter("compute.InstanceGroup", "group_member__group"),
        "userid": RefFilter("accounts.User", "creator"),
    }
    displayvm = Bool(lookup="is_displayed", allowed=ROOT, help_text="only those that are shown to their owners, or not")
    state = Str(help_text="list those in this state; Present for all that are not destroyed")
    networkid = RefFilter("network.Network", "", help_text="list those in this network")
    affinitygroupid = RefFilter("compute.AffinityGroup", "", help_text="list those in this affinity group")
    storageid = RefFilter("storage.StoragePool", "", allowed=ROOT, help_text="list those with a disk there")
    forvirtualnetwork = Bool(help_text="list those whose default network is isolated, or is not")
    keypair = Str(help_text="list those with this SSH key pair")

    def words(self, keyword: str) -> Q:
        """A look at the cards of each machine costs more than all the rest: only for what can be in an address."""
        named = Q(name__icontains=keyword) | Q(display_name__icontains=keyword) | Q(state__iexact=keyword)
        if not OF_ADDRESS.fullmatch(keyword):
            return named
        return named | Q(pk__in=Nic.all_tenants.filter(ip__icontains=keyword).values("vm"))

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        cards = Nic.all_tenants.values("vm")
        if "state" in given:
            wanted = given["state"]
            rows = (
                rows.exclude(state__in=DESTROYED) if wanted.lower() == "present" else rows.filter(state__iexact=wanted)
            )
        if "networkid" in given:
            rows = rows.filter(pk__in=cards.filter(network=given["networkid"]))
        if "affinitygroupid" in given:
            rows = rows.filter(affinities__group=given["affinitygroupid"])
        if "storageid" in given:
            disks = Attachment.objects.filter(volume__pool=given["storageid"])
            rows = rows.filter(pk__in=disks.values("vm"))
        if "forvirtualnetwork" in given:
            isolated = Q(network__guest_type="Isolated")
            kind = isolated if given["forvirtualnetwork"] else ~isolated
            rows = rows.filter(pk__in=cards.filter(kind, is_default=True))
        if "keypair" in given:
            rows = rows.filter(pk__in=with_key(given["keypair"]))
        return self._shown(rows)

    def _shown(self, rows: QuerySet) -> QuerySet:
        """Root sees all, an administrator of a domain all but what is hidden, a user what is there."""
        if self.caller.is_root:
            return rows
        shown = rows.filter(is_displayed=True)
        if self.caller.is_domain_admin or SHOWN.value(self.caller.account):
            return shown
        return shown.exclude(state__in=DESTROYED)


def with_key(name: str) -> QuerySet:
    """Several names stand in one detail, with commas between them."""
    has = (
        Q(value=name) | Q(value__startswith=f"{name},") | Q(value__endswith=f",{name}") | Q(value__contains=f",{name},")
    )
    return Detail.objects.filter(has, kind=details.KIND, name=details.KEYS).values("row_id")


@command("listNics", roles=USER, response=NicResponse)
class ListNics(ListCommand):
    """Lists the network cards of an instance."""

    model = "machines.Nic"
    id = None
    virtualmachineid = RefFilter("machines.VirtualMachine", "vm", required=True, help_text="the instance")
    nicid = RefFilter("machines.Nic", "pk", help_text="list only this card")
    networkid = RefFilter("network.Network", "network", help_text="list those in this network")
