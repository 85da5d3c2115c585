"""Firewall, port forwarding and static NAT. Each rule is a row at once; the job makes the devices match it."""

from typing import Any

from django.db.models import QuerySet

from apps.core.callers import ROOT, USER, Access
from apps.core.commands import AsyncCommand, Command, CreateCommand, command
from apps.core.errors import InvalidParameter
from apps.core.lists import OwnedListCommand
from apps.core.refs import Ref, RefFilter
from apps.core.wire import Bool, Int, List, Str
from apps.firewall.commands.responses import FirewallResponse, ForwardingResponse, IpForwardingResponse
from apps.firewall.models import Rule
from apps.firewall.services import nat, rules
from apps.machines.models import VirtualMachine
from apps.network.flows import catch_up
from apps.network.models import Network, PublicAddress
from apps.network.services import devices

P = Rule.Purpose
FROM = "networks that may come in, like 10.1.1.0/24; all if absent"


def address_ref() -> Ref:
    return Ref("network.PublicAddress", Access.OPERATE, source="address", required=True, help_text="the public address")


def machine_ref(*, required: bool = True) -> Ref:
    return Ref("machines.VirtualMachine", Access.OPERATE, source="vm", required=required, help_text="the instance")


def rule_ref() -> Ref:
    return Ref("firewall.Rule", Access.OPERATE, source="rule", required=True, help_text="the rule")


def shown() -> Bool:
    return Bool(source="is_displayed", allowed=ROOT, help_text="is it shown to its user")


class CreateRule(CreateCommand):
    """What all rules do after their row was made."""

    def run(self, row: Rule, **values: Any) -> Rule:
        devices.tell(row.network_id)
        rules.activate(row)
        return row

    def failed(self, row: Rule) -> None:
        """A device may know it already: the rule is gone when it is known that none does."""
        rules.revoke(row)


class DeleteRule(AsyncCommand):
    """What all rules do when they go; of another purpose a rule is unknown to a command."""

    purpose = ""

    id = rule_ref()

    def run(self, rule: Rule) -> dict[str, Any]:
        rules.revoke(checked(rule, self.purpose))
        devices.tell(rule.network_id)
        return {"success": True}


class UpdateRule(AsyncCommand):
    """What updating a firewall rule is: who sees it."""

    purpose = ""

    id = rule_ref()
    fordisplay = Bool(source="is_displayed", allowed=ROOT, help_text="is it shown to its user")

    def run(self, rule: Rule, **values: Any) -> Rule:
        return rules.update(row=checked(rule, self.purpose), **values)


def check_network(address: PublicAddress, network: Network | None) -> None:
    if network is not None and network.pk != address.network_id:
        raise InvalidParameter("networkid: the address is of another network")


def checked(rule: Rule, purpose: str) -> Rule:
    if rule.purpose != purpose:
        raise InvalidParameter(f"id: rule {rule.uuid} is no {purpose} rule")
    return rule


class Traffic:
    """Which traffic a firewall rule is about."""

    protocol = Str(required=True, length=8, help_text="tcp, udp, icmp or all")
    startport = Int(source="start_port", help_text="first port")
    endport = Int(source="end_port", help_text="last port; the first if absent")
    icmptype = Int(source="icmp_type", help_text="type of ICMP messages; -1 for all")
    icmpcode = Int(source="icmp_code", help_text="code of ICMP messages; -1 for all")
    cidrlist = List(source="cidrs", help_text=FROM)
    fordisplay = shown()
    type = Str(choices=("user",), source="kind", help_text="user: made by a user; the only type there is")


@command(
    "createFirewallRule",
    roles=USER,
    event="FIREWALL.OPEN",
    response=FirewallResponse,
    locks=("address", "address.network"),
)
class CreateFirewallRule(Traffic, CreateRule):
    """Lets traffic to a public address in."""

    ipaddressid = address_ref()

    def create(self, address: PublicAddress, kind: str = "", **values: Any) -> Rule:
        return rules.open_firewall(address=address, **values)


@command(
    "createEgressFirewallRule", roles=USER, event="FIREWALL.EGRESS.OPEN", response=FirewallResponse, locks=("network",)
)
class CreateEgressFirewallRule(Traffic, CreateRule):
    """Makes an exception from what a network does with outgoing traffic by default."""

    networkid = Ref("network.Network", Access.OPERATE, source="network", required=True, help_text="the network")
    cidrlist = List(source="cidrs", help_text="where it comes from, in the network; all of it if absent")
    destcidrlist = List(source="destinations", help_text="where it goes; anywhere if absent")

    def create(self, network: Network, kind: str = "", **values: Any) -> Rule:
        return rules.open_egress(network=network, **values)


@command("updateFirewallRule", roles=USER, event="FIREWALL.UPDATE", response=FirewallResponse, locks=("rule",))
class UpdateFirewallRule(UpdateRule):
    """Shows a firewall rule to its user, or hides it."""

    purpose = P.FIREWALL


@command(
    "updateEgressFirewallRule",
    roles=USER,
    event="FIREWALL.EGRESS.UPDATE",
    response=FirewallResponse,
    locks=("rule",),
)
class UpdateEgressFirewallRule(UpdateRule):
    """Shows an egress firewall rule to its user, or hides it."""

    purpose = P.EGRESS


@command("deleteFirewallRule", roles=USER, event="FIREWALL.CLOSE", response=None, locks=("rule", "rule.network"))
class DeleteFirewallRule(DeleteRule):
    """Deletes a firewall rule."""

    purpose = P.FIREWALL


@command(
    "deleteEgressFirewallRule",
    roles=USER,
    event="FIREWALL.EGRESS.CLOSE",
    response=None,
    locks=("rule", "rule.network"),
)
class DeleteEgressFirewallRule(DeleteRule):
    """Deletes an egress firewall rule."""

    purpose = P.EGRESS


@command(
    "createPortForwardingRule",
    roles=USER,
    event="NET.RULEADD",
    response=ForwardingResponse,
    locks=("address", "address.network", "vm"),
)
class CreatePortForwardingRule(CreateRule):
    """Sends ports of a public address to an instance."""

    ipaddressid = address_ref()
    virtualmachineid = machine_ref()
    protocol = Str(required=True, length=8, help_text="tcp or udp")
    publicport = Int(required=True, source="public_port", help_text="first port of the address")
    publicendport = Int(source="public_end_port", help_text="last port of the address")
    privateport = Int(required=True, source="private_port", help_text="first port of the instance")
    privateendport = Int(source="private_end_port", help_text="last port of the instance")
    cidrlist = List(source="cidrs", help_text=FROM)
    openfirewall = Bool(source="open_firewall_too", default=True, help_text="open the firewall for it too")
    vmguestip = Str(length=64, source="vm_ip", help_text="the address of the instance, where it has several")
    networkid = Ref("network.Network", Access.OPERATE, source="network", help_text="the network of the instance")
    fordisplay = shown()

    def create(self, address: PublicAddress, network: Network | None = None, **values: Any) -> Rule:
        check_network(address, network)
        return nat.forward_port(address=address, **values)


@command(
    "updatePortForwardingRule",
    roles=USER,
    event="NET.RULEMODIFY",
    response=ForwardingResponse,
    locks=("rule", "rule.network"),
)
class UpdatePortForwardingRule(AsyncCommand):
    """Sends the ports of a rule elsewhere."""

    id = rule_ref()
    virtualmachineid = machine_ref(required=False)
    privateport = Int(source="private_port", help_text="first port of the instance")
    privateendport = Int(source="private_end_port", help_text="last port of the instance")
    cidrlist = List(source="cidrs", help_text=FROM)
    vmguestip = Str(length=64, source="vm_ip", help_text="the address of the instance, where it has several")
    fordisplay = shown()

    def run(self, rule: Rule, **values: Any) -> Rule:
        row = nat.update_forwarding(row=checked(rule, P.FORWARDING), **values)
        devices.tell(row.network_id)
        return row


@command("deletePortForwardingRule", roles=USER, event="NET.RULEDELETE", response=None, locks=("rule", "rule.network"))
class DeletePortForwardingRule(DeleteRule):
    """Deletes a port forwarding rule, and the hole in the firewall that was made for it."""

    purpose = P.FORWARDING


@command("enableStaticNat", roles=USER, event="STATICNAT.ENABLE", response=None)
class EnableStaticNat(Command):
    """Maps a public address to one instance."""

    ipaddressid = address_ref()
    virtualmachineid = machine_ref()
    networkid = Ref("network.Network", Access.OPERATE, source="network", help_text="the network of the instance")
    vmguestip = Str(length=64, source="vm_ip", help_text="the address of the instance, where it has several")

    def run(self, address: PublicAddress, vm: VirtualMachine, network: Network | None = None, **values: Any) -> None:
        check_network(address, network)
        target = nat.enable_static_nat(address=address, vm=vm, **values)
        catch_up.soon(target.pk)


@command("disableStaticNat", roles=USER, event="STATICNAT.DISABLE", response=None, locks=("address", "address.network"))
class DisableStaticNat(AsyncCommand):
    """Ends the mapping of a public address to an instance."""

    ipaddressid = address_ref()

    def run(self, address: PublicAddress) -> dict[str, Any]:
        nat.disable_static_nat(address=address)
        if address.network_id:
            devices.tell(address.network_id)
        return {"success": True}


@command(
    "createIpForwardingRule",
    roles=USER,
    event="NET.RULEADD",
    response=IpForwardingResponse,
    locks=("address", "address.network"),
)
class CreateIpForwardingRule(CreateRule):
    """Lets ports of a mapped address through to its instance."""

    ipaddressid = address_ref()
    protocol = Str(required=True, length=8, help_text="tcp or udp")
    startport = Int(required=True, source="start_port", help_text="first port")
    endport = Int(source="end_port", help_text="last port; the first if absent")
    cidrlist = List(source="cidrs", help_text=FROM)
    openfirewall = Bool(source="open_firewall_too", default=True, help_text="open the firewall for it too")

    def create(self, **values: Any) -> Rule:
        return nat.forward_ip(**values)


@command("deleteIpForwardingRule", roles=USER, event="NET.RULEDELETE", response=None, locks=("rule", "rule.network"))
class DeleteIpForwardingRule(DeleteRule):
    """Deletes an IP forwarding rule."""

    purpose = P.IP_FORWARDING


class ListRules(OwnedListCommand):
    """What lists of rules share: each shows those of its purpose."""

    purpose = ""
    keyword_in = ("protocol", "address__ip")

    def visible(self, given: dict[str, Any]) -> QuerySet:
        return super().visible(given).filter(purpose=self.purpose)


def of_rules() -> dict[str, Any]:
    return {
        "ipaddressid": RefFilter("network.PublicAddress", "address"),
        "networkid": RefFilter("network.Network", "network"),
        "fordisplay": Bool(lookup="is_displayed", allowed=ROOT, help_text="those that are shown, or not"),
    }


@command("listFirewallRules", roles=USER, response=FirewallResponse)
class ListFirewallRules(ListRules):
    """Lists firewall rules."""

    model, purpose, filters = "firewall.Rule", P.FIREWALL, of_rules()


@command("listEgressFirewallRules", roles=USER, response=FirewallResponse)
class ListEgressFirewallRules(ListRules):
    """Lists egress firewall rules."""

    model, purpose, filters = "firewall.Rule", P.EGRESS, of_rules()


@command("listPortForwardingRules", roles=USER, response=ForwardingResponse)
class ListPortForwardingRules(ListRules):
    """Lists port forwarding rules."""

    model, purpose, filters = "firewall.Rule", P.FORWARDING, of_rules()


@command("listIpForwardingRules", roles=USER, response=IpForwardingResponse)
class ListIpForwardingRules(ListRules):
    """Lists IP forwarding rules."""

    model, purpose = "firewall.Rule", P.IP_FORWARDING
    taggable = False
    filters = {
        "ipaddressid": RefFilter("network.PublicAddress", "address"),
        "virtualmachineid": RefFilter("machines.VirtualMachine", "vm"),
    }
