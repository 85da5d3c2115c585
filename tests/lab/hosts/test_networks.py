"""What an agent sees by itself of its networks, and that it does nothing where nothing has changed."""

import re
import time

import pytest

from agent.net.names import Names
from agent.networks import WATCH
from tests.lab.agents import KEEP, LOOK, new, segment_of
from tests.lab.tools.documents import address, card, document, forward, machine, rule
from tests.lab.tools.hosts import until

LONG = {"within": 60.0}
METADATA = "169.254.169.254/32"
SPARE = 5.0  # seconds for a machine that has enough to do


@pytest.fixture
def network(host, driver):
    name = new()
    given = {
        "network": name,
        "segment": segment_of(name),
        "dhcp": [card(10)],
        "machines": [machine(10)],
        "public": [address(10, source_nat=True)],
        "firewall": [rule(10, "tcp", 8022)],
        "port_forwarding": [forward(8022, 22)],
    }
    driver.networks.apply(document(1, **given), **LONG)
    yield name
    driver.networks.remove(name, **LONG)


class Router:
    """From inside, as the kernel and the processes tell."""

    def __init__(self, host, network):
        self.host, self.space = host, f"cp-{network}"

    def run(self, *words):
        return self.host.lab.exec(self.host.name, "ip", "netns", "exec", self.space, *words).stdout

    def look(self, *, handles=False):
        """With ``handles`` also what is another number for the same, made anew."""
        tables = self.run("nft", "list", "tables").splitlines()
        words = ["-s", "-a"] if handles else ["-s"]
        rules = [self.run("nft", *words, "list", *table.split()) for table in sorted(tables)]
        asked = [self.run("ip", *words) for words in (["-o", "-4", "address"], ["route"], ["rule"])]
        pids = self.host.lab.exec(self.host.name, "ip", "netns", "pids", self.space).stdout.split()
        if handles:
            return [*rules, *asked, pids]
        return [*(re.sub(r"epoch-\w+", "", text) for text in rules), *asked, len(pids)]

    def put_right(self):
        """What the agent said that it did."""
        network = self.space.removeprefix("cp-")
        lines = [line for line in self.host.log() if line["event"] == "router put right"]
        return [word for line in lines if line["network"] == network for word in line["done"]]


@pytest.fixture
def router(host, network):
    return Router(host, network)


@pytest.mark.parametrize(
    ("harm", "done"),
    [
        (["nft", "flush", "ruleset"], ["replace the rules", "change what is counted"]),
        (["nft", "flush", "chain", "inet", "router", "ingress"], ["replace the rules"]),
        (["nft", "add", "table", "ip", "foreign"], ["replace the rules"]),
        (["ip", "address", "del", METADATA, "dev", "guest"], [f"ip address add {METADATA} dev guest"]),
        (["ip", "route", "flush", "default"], None),
        (["sysctl", "-qw", "net.ipv4.ip_forward=0"], ["set ipv4/ip_forward", "set ipv4/conf/all/accept_redirects"]),
        (["kill", "-9"], ["restart dnsmasq"]),
    ],
    ids=lambda words: " ".join(words) if words else "",
)  # fmt: skip
def test_what_somebody_changes_in_a_router_is_put_right_at_the_next_glance(harm, done, router):
    before = router.look()
    router.run(*harm, *(router.look(handles=True)[-1] if harm[0] == "kill" else ()))  # dnsmasq is alone in there
    began = time.monotonic()

    until(lambda: router.put_right(), WATCH + SPARE, "nobody has seen it")

    print(f"{' '.join(harm)}: {time.monotonic() - began:.1f} s")
    until(lambda: router.look() == before, SPARE, "it is not as it was")
    assert done is None or router.put_right() == done


def test_where_nothing_has_changed_nothing_is_applied_again(router):
    before = router.look(handles=True)
    inodes = router.host.lab.exec(router.host.name, "stat", "-c", "%i", f"/run/netns/{router.space}").stdout

    time.sleep(LOOK + 2 * WATCH)  # looks at all, and glances: there is nothing that would say that they happened

    assert router.look(handles=True) == before
    assert router.host.lab.exec(router.host.name, "stat", "-c", "%i", f"/run/netns/{router.space}").stdout == inodes
    assert router.put_right() == []


def test_bridges_of_what_has_gone_go_when_they_were_kept_long_enough(host, driver):
    name = new()
    segment = host.segment(segment_of(name))
    links = {Names().bridge(segment), Names().tunnel(segment)}
    driver.networks.apply(document(1, network=name, segment=segment_of(name)), **LONG)
    assert links <= host.links()

    driver.networks.remove(name, **LONG)

    assert links <= host.links()
    until(lambda: not links & host.links(), KEEP + LOOK + SPARE, "its bridge stays")
