"""Books of rules: each stands on an address, a network and a machine that live."""

from collections.abc import Iterator

from django.db.models import F, Q

from apps.core.audit import audit
from apps.firewall.models import Member, Rule, SecurityGroupRule, StaticNat

P = Rule.Purpose


@audit("rules: each is of a network, an address and a machine that live")
def rules() -> Iterator[str]:
    living = Rule.all_tenants.exclude(state=Rule.State.REVOKE)
    for column, words in (("network", "a network"), ("address", "an address"), ("vm", "an instance")):
        gone = living.exclude(**{column: None}).exclude(**{f"{column}__removed": None})
        for uuid in gone.values_list("uuid", flat=True):
            yield f"rule {uuid} is of {words} that is gone"
    for uuid in living.exclude(address=None).exclude(address__network=F("network")).values_list("uuid", flat=True):
        yield f"rule {uuid} is of another network than its address"
    for uuid in living.exclude(opened_by=None).exclude(opened_by__removed=None).values_list("uuid", flat=True):
        yield f"rule {uuid} was opened for a rule that is gone"


@audit("rules: no port of an address goes to two places")
def overlaps() -> Iterator[str]:
    holes = Rule.all_tenants.filter(purpose__in=(P.FORWARDING, P.IP_FORWARDING)).exclude(state=Rule.State.REVOKE)
    both = Q(address__rules__pk__gt=F("pk"), address__rules__removed=None, address__rules__protocol=F("protocol"))
    both &= Q(address__rules__purpose__in=(P.FORWARDING, P.IP_FORWARDING))
    both &= Q(address__rules__state__in=(Rule.State.ADD, Rule.State.ACTIVE))
    both &= Q(address__rules__start_port__lte=F("end_port"), address__rules__end_port__gte=F("start_port"))
    for uuid, other in holes.filter(both).values_list("uuid", "address__rules__uuid"):
        yield f"rules {uuid} and {other} forward the same ports"
    mapped = holes.filter(purpose=P.FORWARDING, address__static_nat__isnull=False)
    for uuid in mapped.values_list("uuid", flat=True):
        yield f"rule {uuid} forwards ports of an address that static NAT maps"


@audit("static NAT: each address and instance of a mapping lives and is in one network")
def mappings() -> Iterator[str]:
    rows = StaticNat.objects
    for ip in rows.exclude(address__removed=None).values_list("address__ip", flat=True):
        yield f"address {ip} is mapped and was released"
    for ip in rows.exclude(vm__removed=None).values_list("address__ip", flat=True):
        yield f"address {ip} is mapped to an instance that is gone"


@audit("security groups: members and rules are of groups that live")
def groups() -> Iterator[str]:
    for name in Member.objects.exclude(group__removed=None).values_list("group__name", flat=True):
        yield f"an instance is in security group {name}, which was deleted"
    for uuid in Member.objects.exclude(vm__removed=None).values_list("vm__uuid", flat=True):
        yield f"instance {uuid} is gone and still in a security group"
    rows = SecurityGroupRule.all_tenants
    gone = rows.exclude(group__removed=None) | rows.exclude(other=None).exclude(other__removed=None)
    for uuid in gone.values_list("uuid", flat=True):
        yield f"rule {uuid} names a security group that was deleted"
