"""What lies on the hosts, as the hosts themselves say it, and what must be there, as the product says it. The two are
equal when nothing was forgotten and nothing was left.
"""

import re

from agent.host.specs import tap_of
from agent.net.names import Names

HELD = "select uuid from storage_volume where state not in ('Allocated', 'Expunged')"
PUBLIC = "untagged"
NAMES = Names()
LINKS = re.compile(r"cp.*|t[0-9a-f]{14}")
FORWARDED = re.compile(r"ip daddr (\S+) (\w+) dport (\d+) dnat ip to ([\d.]+):(\d+)")
CHAIN = re.compile(r"chain to-(\S+) \{([^}]*)\}")
OPENED = re.compile(r"(\w+) dport (\d+) accept")
OF_ROUTER = re.compile(r"agent-networks/(?:routers|metadata/data|metadata/receipts)/([^/]+)/.*")
ALWAYS = {
    *(f"agent/{name}" for name in ("ca.pem", "enrolled.json", "host.pem", "revoked.json", "stats.json")),
    "agent-networks/host/layout/layout.json",
    *(f"agent-networks/locks/{name}" for name in ("bridges", "metadata", "metadata-process")),
}


def on_hosts(site):
    """By host; and what all of them share."""
    found = {name: _on_host(site, name, host) for name, host in site.hosts.items()}
    return {**found, "pool": {path.name for path in (site.srv / "primary" / "product").iterdir()} - {_image(site)}}


def _pool(site):
    """A host knows the pool from its first disk there: who has no machine may know it or not."""
    (row,) = site.root.list("listStoragePools", "storagepool", name="lab disks")
    return f"agent/pools/{row['id']}.json"


def _on_host(site, name, host):
    machines = host.domains()
    spaces = {line.split()[0] for line in site.lab.exec(name, "ip", "netns", "list").stdout.splitlines()}
    routers = sorted(space for space in spaces if space.startswith("cp-"))
    return {
        "machines": machines,
        "routers": routers,
        "links": {link for link in host.links() if LINKS.fullmatch(link)},
        "rules": {space: _rules(site, name, space) for space in routers},
        "rules of the host": site.lab.exec(name, "nft", "list", "ruleset").stdout,
        "passwords": host.virsh("secret-list").split(),
        "files": _files(host) - ALWAYS - (set() if machines else {_pool(site)}),
    }


def _rules(site, name, space):
    """Tables, and what was opened and forwarded in them."""
    done = site.lab.exec(name, "ip", "netns", "exec", space, "nft", "list", "ruleset", check=False)
    opened = {(ip, *rule) for ip, body in CHAIN.findall(done.stdout) for rule in OPENED.findall(body)}
    return set(re.findall(r"^table (.*) \{", done.stdout, re.MULTILINE)), opened, set(FORWARDED.findall(done.stdout))


def _files(host):
    folder = host.state.parent
    paths = [path for root in (host.state, folder / "agent-networks") for path in root.rglob("*") if path.is_file()]
    return {OF_ROUTER.sub(r"router \1", str(path.relative_to(folder))) for path in paths}


def _image(site):
    """Of the template, which all root disks lie on: it comes with the first of them."""
    return f"image-{site.template}.qcow2"


def in_rows(site):
    machines = [row for row in _all(site, "listVirtualMachines", "virtualmachine") if row["state"] == "Running"]
    routers = [row for row in _all(site, "listRouters", "router") if row["state"] == "Running"]
    segments = {row["id"]: f"vxlan:{row['vlan']}" for row in _all(site, "listNetworks", "network") if row.get("vlan")}
    found = {}
    for name, host in site.hosts.items():
        mine = [row for row in machines if row["hostid"] == host.uuid]
        placed = [row["guestnetworkid"] for row in routers if row["hostid"] == host.uuid]
        cards = [card for row in mine for card in row["nic"]]
        found[name] = {
            "machines": sorted(row["id"] for row in mine),
            "routers": sorted(NAMES.space(network) for network in placed),
            "links": _links(host, placed, cards, segments),
            "rules": {NAMES.space(network): _wanted_rules(site, network) for network in placed},
            "rules of the host": "",
            "passwords": [],
            "files": _wanted_files(site, placed, cards),
        }
    disks = {f"{dashed(uuid)}.qcow2" for (uuid,) in site.rows(HELD) if _on_pool(site, uuid)}
    return {**found, "pool": disks}


def _all(site, command, key, **given):
    return site.root.list(command, key, listall="true", **given)


def _links(host, placed, cards, segments):
    inside = [host.segment(segments[network]) for network in {*placed, *(card["networkid"] for card in cards)}]
    found = {name for one in inside for name in (NAMES.bridge(one), NAMES.tunnel(one))}
    found |= {NAMES.bridge(host.public_segment(PUBLIC)) for _ in placed[:1]}
    found |= {NAMES.cable(network, card) for network in placed for card in ("guest", "pub0")}
    return found | {tap_of(card["id"]) for card in cards}


def _wanted_rules(site, network):
    given = {"networkid": network}
    opened = _all(site, "listFirewallRules", "firewallrule", **given)
    forwarded = _all(site, "listPortForwardingRules", "portforwardingrule", **given)
    return (
        {"inet router", "inet usage"},
        {(row["ipaddress"], row["protocol"], str(row["startport"])) for row in opened},
        {
            (row["ipaddress"], row["protocol"], str(row["publicport"]), row["vmguestip"], str(row["privateport"]))
            for row in forwarded
        },
    )


def _wanted_files(site, placed, cards):
    found = {f"agent-networks/host/card/{card['id']}.json" for card in cards} | ({_pool(site)} if cards else set())
    for network in placed:
        found |= {f"agent-networks/desired/network/{network}.json", f"agent-networks/locks/{network}"}
        found.add(f"router {network}")
    return found


def stored(site):
    """Images in secondary storage."""
    folder = site.srv / "secondary" / "product"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def differing(site):
    """For who reads that a test failed: by host and subject, what is there and what should be; {} if all is well."""
    there, wanted = (dict(_flat(found)) for found in (on_hosts(site), in_rows(site)))
    return {place: (there[place], wanted[place]) for place in there if there[place] != wanted[place]}


def _flat(found):
    for name, what in found.items():
        yield from (((name, subject), value) for subject, value in what.items()) if name != "pool" else [(name, what)]


def dashed(text):
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _on_pool(site, uuid):
    query = "select p.name from storage_volume v join storage_storagepool p on p.id = v.pool_id where v.uuid = ?"
    return site.rows(query, uuid) in ([], [("lab disks",)])
