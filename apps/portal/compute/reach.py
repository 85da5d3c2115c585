"""How a machine is reached: from the internet by forwarded ports or an address of its own, from inside its networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.portal.visits import Row, Visit

Text = str | Promise
MANY = 500
SSH = 22
SCHEMES = {22: "ssh", 80: "http", 443: "https", 3389: "rdp"}


@dataclass(frozen=True)
class Way:
    frm: Text
    use: str  # to be copied
    open_to: Text
    note: Text = ""
    url: str = ""  # of the rule
    is_mono: bool = True


def ways(visit: Visit, vm: Row) -> list[Way]:
    return [*_from_outside(visit, vm), *_from_inside(visit, vm)]


def ssh_of(found: list[Way]) -> Way | None:
    return next((way for way in found if way.use.startswith("ssh ")), None)


def _from_outside(visit: Visit, vm: Row) -> Iterator[Way]:
    key = str(vm.get("keypairs") or "")
    note = _("key pair %(name)s") % {"name": key} if key else ""
    for nic in vm.get("nic", []):
        if nic.get("type") == "Isolated":
            yield from _forwarded(visit, vm, nic, note)
        elif nic.get("ipaddress"):
            open_to, url = _guarded(visit, vm)
            yield Way(
                _("Network %(name)s") % {"name": nic["networkname"]},
                f"ssh root@{nic['ipaddress']}",
                open_to or _("who can reach this network"),
                note,
                url,
            )
    if vm.get("publicip"):
        yield from _mapped(visit, vm, note)


def _guarded(visit: Visit, vm: Row) -> tuple[Text, str]:
    """Whom its security groups let in to log in, and the page of the first of them."""
    if not vm.get("securitygroup") or not visit.may("listSecurityGroups"):
        return "", ""
    groups = visit.list("listSecurityGroups", virtualmachineid=vm["id"]).rows
    rules = [rule for group in groups for rule in group.get("ingressrule", []) if _lets_in(rule, SSH)]
    who = dict.fromkeys(str(rule.get("cidr") or _of_group(rule)) for rule in rules)
    said = ", ".join(who) or _("nobody: no security group lets it in")
    return said, f"/security-groups/{vm['securitygroup'][0]['id']}"


def _of_group(rule: Row) -> str:
    return _("machines of group %(name)s") % {"name": rule.get("securitygroupname", "")}


def _lets_in(rule: Row, port: int) -> bool:
    first, last = rule.get("startport"), rule.get("endport")
    if rule.get("protocol", "all") not in ("tcp", "all"):
        return False
    return first is None or int(first) <= port <= int(last if last is not None else first)


def _forwarded(visit: Visit, vm: Row, nic: Row, note: Text) -> Iterator[Way]:
    if not visit.may("listPortForwardingRules"):
        return
    asked = {"networkid": nic["networkid"], "listall": "true", "page": 1, "pagesize": MANY}
    rules = [r for r in visit.list("listPortForwardingRules", **asked).rows if r["virtualmachineid"] == vm["id"]]
    holes = visit.list("listFirewallRules", **asked).rows if rules and visit.may("listFirewallRules") else []
    for rule in rules:
        inner, outer = int(rule["privateport"]), int(rule["publicport"])
        open_to = rule.get("cidrlist") or ", ".join(_let_in(holes, rule["ipaddressid"], rule["protocol"], outer))
        url = f"/networks/{nic['networkid']}/rules"
        how = _use(rule["ipaddress"], outer, inner)
        said = open_to or _("nobody: the firewall is closed")
        yield Way(_named(inner), how, said, note if inner == 22 else "", url)


def _mapped(visit: Visit, vm: Row, note: Text) -> Iterator[Way]:
    asked = {"ipaddressid": vm["publicipid"], "listall": "true", "page": 1, "pagesize": MANY}
    holes = visit.list("listFirewallRules", **asked).rows if visit.may("listFirewallRules") else []
    url = f"/networks/{vm['nic'][0]['networkid']}/rules" if vm.get("nic") else ""
    if not holes:
        yield Way(_("Internet"), vm["publicip"], _("nobody: the firewall is closed"), url=url)
    for hole in holes:
        if hole.get("startport") is not None:
            port = int(hole["startport"])
            yield Way(
                _named(port),
                _use(vm["publicip"], port, port),
                hole.get("cidrlist") or _("everybody"),
                note if port == 22 else "",
                url,
            )


def _let_in(holes: list[Row], address: str, protocol: str, port: int) -> list[str]:
    found = []
    for hole in holes:
        fits = hole["ipaddressid"] == address and hole["protocol"].lower() in (protocol.lower(), "all")
        first, last = hole.get("startport"), hole.get("endport")
        if fits and (first is None or int(first) <= port <= int(last if last is not None else first)):
            found.append(hole.get("cidrlist") or "0.0.0.0/0")
    return found


def _named(port: int) -> Text:
    names = {22: _("Internet, SSH"), 80: _("Internet, web"), 443: _("Internet, web"), 3389: _("Internet, desktop")}
    return names.get(port, _("Internet, port %(port)s") % {"port": port})


def _use(address: str, outer: int, inner: int) -> str:
    """As one types it: what listens inside says which program is meant."""
    scheme = SCHEMES.get(inner)
    if scheme == "ssh":
        return f"ssh root@{address}" if outer == 22 else f"ssh -p {outer} root@{address}"
    if scheme in ("http", "https"):
        usual = (scheme, outer) in (("http", 80), ("https", 443))
        return f"{scheme}://{address}" if usual else f"{scheme}://{address}:{outer}"
    return f"{address}:{outer}"


def _from_inside(visit: Visit, vm: Row) -> Iterator[Way]:
    for nic in vm.get("nic", []):
        if nic.get("type") == "Isolated" and nic.get("ipaddress"):
            frm = _("Inside %(name)s") % {"name": nic["networkname"]}
            yield Way(frm, nic["ipaddress"], _("machines of the network"), vm.get("name", ""))


def public_addresses(visit: Visit, network: str) -> list[dict[str, Any]]:
    if not visit.may("listPublicIpAddresses"):
        return []
    return visit.list("listPublicIpAddresses", associatednetworkid=network, listall="true", page=1, pagesize=100).rows
