from itertools import count

from apps.appliances.models import Element
from apps.appliances.services import elements
from apps.core.ownership import admit
from apps.firewall.models import Rule, SecurityGroupRule
from apps.firewall.services import security_groups
from apps.network.models import IpRange, Network, PublicAddress, Segment
from apps.network.services import ranges
from apps.offerings.models import NetworkOffering

NUMBER = count(1)
ROUTER = ("Dhcp", "Dns", "UserData", "Firewall", "Gateway", "PortForwarding", "SourceNat", "StaticNat")


def saved(row):
    row.save()
    return row


def offering(make, owner=None, services=ROUTER, **kw):
    given = {service: ["VirtualRouter"] for service in services}
    return saved(NetworkOffering(name=f"net{next(NUMBER)}", services=given, **{"state": "Enabled", **kw}))


def network(make, owner):
    number = next(NUMBER)
    row = admit(Network, owner, name=f"n{number}", zone=make.zone(), offering=offering(make), cidr="10.1.1.0/24")
    place = {"gateway": "10.1.1.1", "netmask": "255.255.255.0", "start_ip": "10.1.1.1", "end_ip": "10.1.1.254"}
    IpRange(zone=row.zone, network=row, for_virtual_network=False, is_lazy=True, **place).save()
    return row


def segment(make, owner):
    """Nobody's."""
    carrier = make.row("infrastructure.PhysicalNetwork", owner)
    return saved(Segment(physical_network=carrier, number=next(NUMBER)))


def ip_range(make, owner):
    number = next(NUMBER) % 250
    place = {"gateway": f"192.168.{number}.1", "netmask": "255.255.255.0"}
    place |= {"start_ip": f"192.168.{number}.2", "end_ip": f"192.168.{number}.9"}
    return ranges.create(zone=make.zone(), vlan="50", for_virtual_network=True, **place)


def address(make, owner):
    taken = ranges.take([ip_range(make, owner).pk], "test")
    return admit(PublicAddress, owner, address=taken, ip=taken.ip, zone=make.zone(), network=network(make, owner))


def rule(make, owner):
    at = address(make, owner)
    return admit(
        Rule, owner, network=at.network, address=at, purpose="Firewall", protocol="tcp", start_port=1, end_port=1
    )


def group(make, owner):
    return security_groups.create(owner=owner, name=f"g{next(NUMBER)}")


def group_rule(make, owner):
    return saved(SecurityGroupRule(group=group(make, owner), direction="ingress", protocol="tcp", cidr="0.0.0.0/0"))


def element(name):
    def row(make, owner):
        provider = make.row("infrastructure.ServiceProvider", owner)
        provider.name = name
        provider.save(update_fields=["name"])
        return elements.ensure(provider)

    return row


ROWS = {
    "network.Network": network,
    "network.IpRange": ip_range,
    "network.Segment": segment,
    "network.PublicAddress": address,
    "firewall.Rule": rule,
    "firewall.SecurityGroup": group,
    "firewall.SecurityGroupRule": group_rule,
    "appliances.RouterElement": element(Element.Kind.ROUTER),
    "appliances.BalancerElement": element(Element.Kind.BALANCER),
}
