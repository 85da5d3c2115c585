"""Security groups: who may talk to the machines in them. Hosts enforce them; the rows are the desired state."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from apps.core.errors import InvalidParameter, ResourceInUse
from apps.core.ownership import admit, release
from apps.core.retry import atomically
from apps.firewall.models import Member, SecurityGroup, SecurityGroupRule
from apps.firewall.services import checks

DEFAULT = "default"


@atomically
def create(*, owner: Any, name: str, description: str = "") -> SecurityGroup:
    try:
        with transaction.atomic():
            return admit(SecurityGroup, owner, name=name, description=description)
    except IntegrityError:
        raise InvalidParameter(f"name: a security group {name} already exists for account {owner.name}") from None


def default_group(owner: Any) -> SecurityGroup:
    """Made when it is needed first."""
    found = SecurityGroup.objects.owned_by(owner).filter(name=DEFAULT).first()
    try:
        return found or create(owner=owner, name=DEFAULT, description="Default Security Group")
    except InvalidParameter:  # somebody made it at this moment
        return SecurityGroup.objects.owned_by(owner).get(name=DEFAULT)


def find(*, owner: Any, name: str) -> SecurityGroup:
    found = SecurityGroup.objects.owned_by(owner).filter(name=name).first()
    if found is None:
        raise InvalidParameter(f"securitygroupname: account {owner.name} has no security group {name}")
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
    if Member.objects.filter(group=group).exists():
        raise ResourceInUse(f"id: instances are in security group {group.name}")
    if SecurityGroupRule.all_tenants.filter(other=group).exclude(group=group).exists():
        raise ResourceInUse(f"id: rules of other groups name security group {group.name}")
    remove(group)


@atomically
def remove(group: SecurityGroup) -> None:
    for rule in SecurityGroupRule.all_tenants.filter(group=group):
        rule.mark_removed()
    for rule in SecurityGroupRule.all_tenants.filter(other=group):
        rule.mark_removed()
    release(group)


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
    kind = checks.protocol(protocol or "tcp")
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
    for one in whom:
        if SecurityGroupRule.all_tenants.filter(group=group, **what, **one).exists():
            raise InvalidParameter(f"there is such a rule in security group {group.name} already")
        SecurityGroupRule(group=group, **what, **one).save()
    _changed(group)
    return group


@atomically
def revoke(*, rule: SecurityGroupRule) -> None:
    rule.mark_removed()
    _changed(rule.group)


def _changed(group: SecurityGroup) -> None:
    SecurityGroup.all_tenants.filter(pk=group.pk).update(generation=F("generation") + 1)


@atomically
def join(*, vm: Any, groups: Sequence[SecurityGroup]) -> None:
    Member.objects.bulk_create([Member(vm=vm, group=group) for group in groups], ignore_conflicts=True)


def machine_leaves(vm: Any, nics: list[int]) -> None:
    """Only a machine that goes for good leaves its groups; a card that goes changes nothing."""
    if vm.state in ("Expunging", "Error"):
        Member.objects.filter(vm=vm).delete()
