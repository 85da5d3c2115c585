from collections.abc import Mapping
from typing import Any, ClassVar

from apps.core import ports
from apps.core.callers import USER, Access, Caller
from apps.core.commands import AsyncCommand, Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import OwnedListCommand
from apps.core.refs import Compound, Owner, Ref, RefFilter
from apps.core.scope import owner_of_new
from apps.core.wire import Field, Int, List, Map, Str
from apps.firewall.commands.responses import SecurityGroupResponse
from apps.firewall.models import SecurityGroup, SecurityGroupRule
from apps.firewall.services import security_groups as services


class GroupByName(Compound):
    """A group by its id, or by its name among those of an owner."""

    id_name, name_name = "securitygroupid", "securitygroupname"
    parts: ClassVar[dict[str, Field]] = {
        "securitygroupid": Ref("firewall.SecurityGroup", Access.OPERATE, help_text="the security group"),
        "securitygroupname": Str(help_text="the security group by its name, in place of its id"),
        **Owner.parts,
    }

    def read(self, name: str, given: Mapping[str, Any], caller: Caller) -> Any:
        values = self.given_parts(given, caller)
        group, text = values.pop(self.id_name), values.pop(self.name_name)
        if (group is None) == (text is None):
            raise InvalidParameter(f"{self.id_name} or {self.name_name}, one of them, must name the security group")
        return group or services.find(owner=owner_of_new(caller, **values), name=text)


class GroupToDelete(GroupByName):
    id_name, name_name = "id", "name"
    parts: ClassVar[dict[str, Field]] = {
        "id": Ref("firewall.SecurityGroup", Access.OPERATE, help_text="the security group"),
        "name": Str(help_text="the security group by its name, in place of its id"),
        **Owner.parts,
    }


@command("createSecurityGroup", roles=USER, event="SG.CREATE", response=SecurityGroupResponse)
class CreateSecurityGroup(Command):
    """Creates a security group."""

    name = Str(required=True, help_text="the name, unique for its owner")
    description = Str(help_text="what it is for")
    owner = Owner()

    def run(self, **values: Any) -> SecurityGroup:
        return services.create(**values)


@command("updateSecurityGroup", roles=USER, event="SG.UPDATE", response=SecurityGroupResponse)
class UpdateSecurityGroup(Command):
    """Renames a security group."""

    id = Ref("firewall.SecurityGroup", Access.OPERATE, source="group", required=True, help_text="the security group")
    name = Str(help_text="the new name")

    def run(self, group: SecurityGroup, name: str = "") -> SecurityGroup:
        return services.rename(group=group, name=name) if name else group


@command("deleteSecurityGroup", roles=USER, event="SG.DELETE", response=None)
class DeleteSecurityGroup(Command):
    """Deletes a security group in which no instance is."""

    target = GroupToDelete(source="group")

    def run(self, group: SecurityGroup) -> None:
        services.delete(group=group)


class Authorize(AsyncCommand):
    """Adds rules to a security group."""

    direction = ""

    target = GroupByName(source="group")
    protocol = Str(length=8, help_text="tcp, udp, icmp or all; tcp if absent")
    startport = Int(source="start_port", help_text="first port")
    endport = Int(source="end_port", help_text="last port; the first if absent")
    icmptype = Int(source="icmp_type", help_text="type of ICMP messages; -1 for all")
    icmpcode = Int(source="icmp_code", help_text="code of ICMP messages; -1 for all")
    cidrlist = List(source="cidrs", help_text="networks, like 10.1.1.0/24")
    usersecuritygrouplist = Map(keys=("account", "group"), source="named", help_text="groups by account and name")

    def run(self, group: SecurityGroup, named: list[dict[str, str]] | None = None, **values: Any) -> SecurityGroup:
        others = [self.other(group, entry) for entry in named or ()]
        return services.authorize(group=group, direction=self.direction, others=others, **values)

    def other(self, group: SecurityGroup, entry: dict[str, str]) -> SecurityGroup:
        """A group of another account of the same domain: naming it gives no right to change it."""
        if not entry.get("account") or not entry.get("group"):
            raise InvalidParameter("usersecuritygrouplist: each entry needs account and group")
        if entry["account"] == group.owner.name:
            return services.find(owner=group.owner, name=entry["group"])
        return services.find(owner=self.named(group, entry["account"]), name=entry["group"])

    def named(self, group: SecurityGroup, name: str) -> Any:
        found = ports.tenants.one().account(name, group.owner.domain)
        if found is None:
            raise InvalidParameter(f"usersecuritygrouplist: there is no account {name} in the domain of the group")
        return found


@command(
    "authorizeSecurityGroupIngress",
    roles=USER,
    event="SG.AUTH.INGRESS",
    response=SecurityGroupResponse,
    locks=("group",),
)
class AuthorizeSecurityGroupIngress(Authorize):
    """Lets traffic to the instances of a security group in."""

    direction = SecurityGroupRule.Direction.INGRESS


@command(
    "authorizeSecurityGroupEgress", roles=USER, event="SG.AUTH.EGRESS", response=SecurityGroupResponse, locks=("group",)
)
class AuthorizeSecurityGroupEgress(Authorize):
    """Lets traffic of the instances of a security group out, and from then on no other."""

    direction = SecurityGroupRule.Direction.EGRESS


class Revoke(AsyncCommand):
    """Takes a rule out of its group."""

    direction = ""

    id = Ref("firewall.SecurityGroupRule", Access.OPERATE, source="rule", required=True, help_text="the rule")

    def run(self, rule: SecurityGroupRule) -> dict[str, Any]:
        if rule.direction != self.direction:
            raise InvalidParameter(f"id: rule {rule.uuid} is no {self.direction} rule")
        services.revoke(rule=rule)
        return {"success": True}


@command("revokeSecurityGroupIngress", roles=USER, event="SG.REVOKE.INGRESS", response=None, locks=("rule.group",))
class RevokeSecurityGroupIngress(Revoke):
    """Takes an ingress rule out of its security group."""

    direction = SecurityGroupRule.Direction.INGRESS


@command("revokeSecurityGroupEgress", roles=USER, event="SG.REVOKE.EGRESS", response=None, locks=("rule.group",))
class RevokeSecurityGroupEgress(Revoke):
    """Takes an egress rule out of its security group."""

    direction = SecurityGroupRule.Direction.EGRESS


@command("listSecurityGroups", roles=USER, response=SecurityGroupResponse)
class ListSecurityGroups(OwnedListCommand):
    """Lists security groups with their rules."""

    model = "firewall.SecurityGroup"
    keyword_in = ("name",)
    filters = {
        "securitygroupname": "name",
        "virtualmachineid": RefFilter("machines.VirtualMachine", "members__vm"),
    }
