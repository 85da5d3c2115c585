"""What can be seen to be wrong before anything is made. A check names cause and remedy; one that asks the outside can
be passed over, as the answer may be another one from where the hosts are.
"""

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.core.errors import CloudError
from apps.portal.infrastructure.kinds import ADDRESS_RANGE, HOST, POD, ZONE
from apps.portal.infrastructure.zone_draft import ZoneDraft
from apps.portal.visits import Visit

Text = str | Promise
PATIENCE = 2.0  # seconds for an answer of the outside
SSH, NFS = 22, 2049


@dataclass(frozen=True)
class Check:
    passed: bool
    text: Text
    detail: Text = ""
    remedy: Text = ""
    about: str = ""  # the question
    soft: bool = False  # the outside said it: it may be passed over
    step: int = 0  # another one that could be changed as well


Found = Iterator[Check]


def of_step(visit: Visit, draft: ZoneDraft, number: int) -> list[Check]:
    return list(STEPS[number](visit, draft)) if number in STEPS else []


def of_zone(visit: Visit, draft: ZoneDraft) -> Found:
    if any(row["name"] == draft.get("name") for row in ZONE.rows(visit, name=draft.get("name")).rows):
        remedy = _("Choose another name, or delete that zone.")
        yield Check(False, _("There is a zone %(name)s already") % {"name": draft.get("name")}, "", remedy, "name")
    else:
        yield Check(True, _("The name is free"))
    for name in ("dns1", "dns2", "internaldns1"):
        if draft.get(name):
            yield _is_address(draft, name)
    if draft.type == "Advanced":
        yield _is_range(draft)


def _is_address(draft: ZoneDraft, name: str) -> Check:
    text = draft.get(name)
    if address(text) is None:
        said = _("%(text)s is no IPv4 address") % {"text": text}
        return Check(False, said, "", _("Four numbers from 0 to 255, like 192.0.2.53."), name)
    return Check(True, _("%(text)s is an address") % {"text": text})


def _is_range(draft: ZoneDraft) -> Check:
    try:
        network = ipaddress.IPv4Network(draft.get("cidr"))
    except ValueError:
        said = _("%(text)s is no range of addresses") % {"text": draft.get("cidr")}
        return Check(False, said, "", _("Like 10.1.1.0/24: all bits behind the mask are 0."), "cidr")
    count = network.num_addresses - 2
    return Check(True, _("Guest networks have room for %(count)s addresses") % {"count": count})


def of_network(visit: Visit, draft: ZoneDraft) -> Found:
    if draft.type == "Basic":
        yield Check(True, _("A basic zone needs no VLANs"))
        return
    numbers = vlans(draft.get("vlans"))
    if numbers is None:
        said = _("%(text)s are no VLANs") % {"text": draft.get("vlans")}
        yield Check(False, said, "", _("Numbers and ranges from 1 to 4094, with commas: 100-200,300."), "vlans")
    else:
        yield Check(True, _("%(count)s VLANs: as many isolated networks can be in use") % {"count": len(numbers)})


def vlans(text: str) -> set[int] | None:
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            return None
        low, high = int(first), int(last or first)
        if not 1 <= low <= high <= 4094:
            return None
        found |= set(range(low, high + 1))
    return found or None


def of_traffic(visit: Visit, draft: ZoneDraft) -> Found:
    labels = {name: draft.get(name) for name in ("guest", "management", "public", "storage") if draft.get(name)}
    long = [name for name, text in labels.items() if len(text) > 15 and draft.get("hypervisor") in ("", "KVM")]
    for name in long:
        said = _("%(text)s is too long for a bridge") % {"text": labels[name]}
        yield Check(False, said, "", _("Linux takes 15 characters at most."), name)
    if not long:
        yield Check(True, _("Labels are those of the hosts; whether a host has them is checked when it is added"))


def of_addresses(visit: Visit, draft: ZoneDraft) -> Found:
    spans = {
        "pod": _("System machines"),
        **({"pub": _("Public")} if draft.type == "Advanced" else {"guest": _("Machines")}),
    }
    found = {}
    for word, label in spans.items():
        check, span = _span(draft, word, label)
        yield check
        if span:
            found[word] = span
    yield from _overlaps(visit, draft, found)


Span = tuple[int, int]


def _span(draft: ZoneDraft, word: str, label: str) -> tuple[Check, Span | None]:
    """One range with its gateway: inside its network, in order, the gateway outside."""
    texts = {name: draft.get(f"{word}_{name}") for name in ("gateway", "netmask", "start", "end")}
    for name in ("gateway", "start", "end"):
        if address(texts[name]) is None:
            said = _("%(label)s: %(text)s is no IPv4 address") % {"label": label, "text": texts[name] or "–"}
            return Check(False, said, "", _("Four numbers from 0 to 255."), f"{word}_{name}"), None
    try:
        network = ipaddress.IPv4Network(f"{texts['gateway']}/{texts['netmask']}", strict=False)
    except ValueError:
        said = _("%(label)s: %(text)s is no netmask") % {"label": label, "text": texts["netmask"]}
        return Check(False, said, "", _("Like 255.255.255.0."), f"{word}_netmask"), None
    first, last, gateway = (int(ipaddress.IPv4Address(texts[name])) for name in ("start", "end", "gateway"))
    if first > last:
        said = _("%(label)s: the last address is before the first") % {"label": label}
        return Check(False, said, "", _("Swap them."), f"{word}_end"), None
    for name, number in (("start", first), ("end", last)):
        if ipaddress.IPv4Address(number) not in network:
            said = _("%(label)s: %(text)s is not in %(network)s") % {
                "label": label,
                "text": texts[name],
                "network": network,
            }
            remedy = _("The range has to be in the network of its gateway.")
            return Check(False, said, "", remedy, f"{word}_{name}"), None
    if first <= gateway <= last:
        said = _("%(label)s: the gateway %(text)s is in the range") % {"label": label, "text": texts["gateway"]}
        return Check(False, said, "", _("It would be given to a machine: begin behind it."), f"{word}_start"), None
    said = _("%(label)s: %(count)s addresses in %(network)s")
    values = {"label": label, "count": last - first + 1, "network": network}
    return Check(True, said % values), (first, last)


def _overlaps(visit: Visit, draft: ZoneDraft, spans: dict[str, Span]) -> Found:
    if len(spans) == 2:
        (one, first), (other, second) = spans.items()
        if _meet(first, second):
            remedy = _("Take other addresses for one of them.")
            yield Check(False, _("The two ranges overlap"), "", remedy, f"{other}_start")
    taken = list(_taken(visit))
    for word, span in spans.items():
        for theirs, what in taken:
            if _meet(span, theirs):
                said = _("%(range)s overlaps %(what)s") % {"range": _written(span), "what": what}
                yield Check(False, said, _written(theirs), _("Take addresses that nobody has."), f"{word}_start")
                break
        else:
            yield Check(True, _("%(range)s is free") % {"range": _written(span)})
    if draft.type == "Advanced" and "pod" in spans:
        guests = ipaddress.IPv4Network(draft.get("cidr"))
        if _meet(spans["pod"], (int(guests.network_address), int(guests.broadcast_address))):
            said = _("The range of system machines overlaps that of guest networks, %(range)s") % {"range": guests}
            yield Check(
                False, said, "", _("Take other addresses here, or other guest networks in step 1."), "pod_start", step=1
            )


def _taken(visit: Visit) -> Iterator[tuple[Span, str]]:
    for row in ADDRESS_RANGE.rows(visit, page=1, pagesize=500).rows if visit.may(ADDRESS_RANGE.listing) else []:
        if span := _of(row.get("startip"), row.get("endip")):
            yield span, _("a range of another zone")
    for row in POD.rows(visit, page=1, pagesize=500).rows:
        for each in row.get("ipranges", []):
            if span := _of(each.get("startip"), each.get("endip")):
                said = _("the pod %(name)s of %(zone)s")
                yield span, said % {"name": row["name"], "zone": row.get("zonename", "")}


def _of(first: str | None, last: str | None) -> Span | None:
    if not first or address(first) is None:
        return None
    return int(ipaddress.IPv4Address(first)), int(ipaddress.IPv4Address(last or first))


def _meet(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _written(span: Span) -> str:
    return f"{ipaddress.IPv4Address(span[0])}–{ipaddress.IPv4Address(span[1])}"


def of_host(visit: Visit, draft: ZoneDraft) -> Found:
    host = draft.get("host")
    try:
        known = [row for row in HOST.rows(visit, keyword=host).rows if row.get("ipaddress") == host]
    except CloudError:
        known = []
    if known:
        said = _("%(host)s is a host of %(zone)s already") % {"host": host, "zone": known[0].get("zonename", "")}
        yield Check(False, said, "", _("Take another one, or remove it there."), "host")
        return
    if draft.is_simulated or host.startswith("sim"):
        if draft.is_simulated != host.startswith("sim"):
            said = _("A simulated host and another hypervisor do not go together")
            remedy = _("Choose Simulator in step 5, or name a real host.")
            yield Check(False, said, "", remedy, "host", step=5)
        else:
            yield Check(True, _("%(host)s is simulated: it answers") % {"host": host})
        return
    yield _answers(host, SSH, "host")


def _answers(host: str, port: int, about: str) -> Check:
    values = {"host": host, "port": port}
    try:
        with socket.create_connection((host, port), timeout=PATIENCE):
            return Check(True, _("%(host)s answers on port %(port)s") % values)
    except socket.gaierror:
        remedy = _("Check the spelling and the name server of the manager, or give the address.")
        return Check(False, _("There is no %(host)s") % values, "", remedy, about, soft=True)
    except ConnectionRefusedError:
        remedy = _("Start the service there, or open the port for the manager.")
        return Check(False, _("%(host)s refuses connections on port %(port)s") % values, "", remedy, about, soft=True)
    except OSError:
        remedy = _("Is it switched on, and is there a way from the manager to it?")
        return Check(False, _("%(host)s does not answer on port %(port)s") % values, "", remedy, about, soft=True)


def of_pool(visit: Visit, draft: ZoneDraft) -> Found:
    yield from _of_share(draft, "pool_url")


def of_store(visit: Visit, draft: ZoneDraft) -> Found:
    yield from _of_share(draft, "store_url")
    if draft.get("store_url") == draft.get("pool_url"):
        said = _("Primary and secondary storage are the same")
        yield Check(
            False, said, "", _("Take two paths: cleaning one of them would hit the other."), "store_url", step=7
        )


def _of_share(draft: ZoneDraft, name: str) -> Found:
    parts = urlsplit(draft.get(name))
    if parts.scheme != "nfs" or not parts.hostname or len(parts.path) < 2:
        said = _("%(text)s is no address of a share") % {"text": draft.get(name)}
        yield Check(False, said, "", _("Like nfs://192.0.2.10/export/primary."), name)
        return
    yield Check(True, _("%(path)s on %(host)s") % {"path": parts.path, "host": parts.hostname})
    if draft.is_simulated:
        yield Check(True, _("Simulated storage can be mounted"))
        return
    check = _answers(parts.hostname, parts.port or NFS, name)
    yield check


def address(text: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        return None


STEPS = {
    1: of_zone,
    2: of_network,
    3: of_traffic,
    4: of_addresses,
    6: of_host,
    7: of_pool,
    8: of_store,
}
