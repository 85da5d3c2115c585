"""Security groups: who may talk to the machines in them. Hosts enforce them; the rows are the desired state."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from apps.core.errors import InvalidParameter, PermissionDenied, ResourceInUse
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.firewall.models import Member, SecurityGroup, SecurityGroupRule
from apps.firewall.services import checks
from apps.infrastructure.models import Zone
from apps.machines.models import VirtualMachine
from apps.network.models import Network

DEFAULT = "default"


@atomically
def create(*, owner: Any, name: str, description: str = "") -> SecurityGroup:
    try:
        with transaction.atomic():
            return admit(SecurityGroup, owner, name=name, description=description)
    except IntegrityError:
        raise InvalidParameter(f"name: a security group {name} already exists for account {owner.name}") from None


def account_begins(account: Any) -> None:
    """Answers ``accounts.made``."""
    create(owner=account, name=DEFAULT, description="Default Security Group")


def default_group(owner: Any) -> SecurityGroup:
    """For a machine that has to be in one: accounts of before have none until then."""
    found = SecurityGroup.objects.owned_by(owner).filter(name=DEFAULT).first()
    try:
        return found or create(owner=owner, name=DEFAULT, description="Default Security Group")
    except InvalidParameter:  # somebody made it at this moment
        return SecurityGroup.objects.owned_by(owner).get(name=DEFAULT)


def find(*, owner: Any, name: str, parameter: str = "securitygroupname") -> SecurityGroup:
    found = SecurityGroup.objects.owned_by(owner).filter(name=name).first()
    if found is None:
        raise InvalidParameter(f"{parameter}: account {owner.name} has no security group {name}")
    return found


@atomically
def rename(*, group: SecurityGroup, name: str) -> SecurityGroup:
    if group.name == DEFAULT:
        raise InvalidParameter("id: the default security group keeps its name")
    group.name = name
    try:
        with transaction.atomic():
            group.save(update_fields=["name"])
    except IntegrityError:
        raise InvalidParameter(f"name: a security group {name} already exists") from None
    return group


@atomically
def delete(*, group: SecurityGroup) -> None:
    if group.name == DEFAULT:
        raise InvalidParameter("id: the default security group cannot be deleted")
    hold(group)
    if Member.objects.filter(group=group).exists():
        raise ResourceInUse(f"id: instances are in security group {group.name}")
    if SecurityGroupRule.all_tenants.filter(other=group).exclude(group=group).exists():
        raise ResourceInUse(f"id: rules of other groups name security group {group.name}")
    remove(group)


@atomically
def remove(group: SecurityGroup) -> None:
    Member.objects.filter(group=group).delete()
    for rule in SecurityGroupRule.all_tenants.filter(group=group):
        rule.mark_removed()
    for rule in SecurityGroupRule.all_tenants.filter(other=group).select_related("group"):
        revoke(rule=rule)
    release(group)


def hold(group: SecurityGroup) -> None:
    """What hosts enforce for the group changes, and until this transaction ends nobody deletes it."""
    if not SecurityGroup.all_tenants.filter(pk=group.pk).update(generation=F("generation") + 1):
        raise ResourceInUse(f"security group {group.name} is being deleted")


@atomically
def authorize(
    *,
    group: SecurityGroup,
    direction: str,
    protocol: str | None = None,
    start_port: int | None = None,
    end_port: int | None = None,
    icmp_type: int | None = None,
    icmp_code: int | None = None,
    cidrs: list[str] | None = None,
    others: Sequence[SecurityGroup] = (),
) -> SecurityGroup:
    """One rule for each network and each group that is named; TCP unless another protocol is said."""
    kind = checks.protocol_or_number(protocol or "tcp")
    first, last = checks.ports(kind, start_port, end_port, ("startport", "endport"))
    if kind in ("tcp", "udp") and first is None:
        raise InvalidParameter(f"startport: {kind} needs ports")
    type_, code = checks.icmp(kind, icmp_type, icmp_code)
    if not cidrs and not others:
        raise InvalidParameter("cidrlist or usersecuritygrouplist must say whom the rule is for")
    what = {"direction": direction, "protocol": kind, "start_port": first, "end_port": last}
    what |= {"icmp_type": type_, "icmp_code": code}
    whom: list[dict[str, Any]] = [{"cidr": cidr} for cidr in checks.cidrs(cidrs, default="")]
    whom += [{"other": other} for other in others]
    for each in sorted({group, *others}, key=lambda row: row.pk):
        hold(each)
    for one in whom:
        if SecurityGroupRule.all_tenants.filter(group=group, **what, **one).exists():
            raise InvalidParameter(f"there is such a rule in security group {group.name} already")
        SecurityGroupRule(group=group, **what, **one).save()
    return group


@atomically
def revoke(*, rule: SecurityGroupRule) -> None:
    if rule.mark_removed():
        hold(rule.group)


def chosen(
    owner: Any,
    zone: Zone,
    networks: Sequence[Network],
    groups: Sequence[SecurityGroup],
    names: Sequence[str],
) -> list[SecurityGroup]:
    """The groups of a new machine: those that were named or, where its networks have groups, the default one."""
    if groups and names:
        raise InvalidParameter("securitygroupids and securitygroupnames cannot be given together")
    if not any("SecurityGroup" in network.offering.services for network in networks):
        if groups or names:
            raise InvalidParameter(
                f"securitygroupids: no network of the instance in zone {zone.name} has security groups"
            )
        return []
    if foreign := next((group for group in groups if group.owner_id != owner.pk), None):
        raise PermissionDenied(f"securitygroupids: group {foreign.uuid} is of another account than the instance")
    found = {group.pk: group for group in groups}
    for name in names:
        group = (
            default_group(owner) if name == DEFAULT else find(owner=owner, name=name, parameter="securitygroupnames")
        )
        found[group.pk] = group
    return list(found.values()) or [default_group(owner)]


@atomically
def join(vm: VirtualMachine, groups: Sequence[SecurityGroup]) -> None:
    """The machine is in these groups, too; a group that is deleted at this moment refuses it."""
    for group in sorted(groups, key=lambda row: row.pk):
        hold(group)
    Member.objects.bulk_create([Member(vm=vm, group=group) for group in groups], ignore_conflicts=True)


def groups_of(machines: Sequence[int]) -> dict[int, list[dict[str, str]]]:
    """By key of the machine, what its answer says of its groups: one query for a page."""
    found: dict[int, list[dict[str, str]]] = {key: [] for key in machines}
    rows = Member.objects.filter(vm__in=machines, group__removed=None).order_by("pk")
    columns = ("vm", "group__uuid", "group__name", "group__description", "group__owner__name")
    for vm, uuid, name, description, account in rows.values_list(*columns):
        found[vm].append({"id": str(uuid), "name": name, "description": description, "account": account})
    return found


def machine_leaves(vm: VirtualMachine, nics: list[int]) -> None:
    """Only a machine that goes for good leaves its groups; a card that goes changes nothing."""
    if vm.state in ("Expunging", "Error"):
        groups = SecurityGroup.all_tenants.filter(members__vm=vm)
        SecurityGroup.all_tenants.filter(pk__in=list(groups.values_list("pk", flat=True))).update(
            generation=F("generation") + 1
        )
        Member.objects.filter(vm=vm).delete()
