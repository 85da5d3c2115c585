"""What it takes: prints, and fails only where the aim is missed by far, for others use the machine as well."""

import json
import time

import pytest

from tests.lab.tools.cloud import OUTSIDE
from tests.lab.tools.documents import address, card, document, mac, machine, network, rule
from tests.lab.tools.traffic import Server, ask

ROUTERS, MACHINES = 20, 200


@pytest.fixture
def say(capsys):
    def out(what, number, unit):
        with capsys.disabled():
            print(f"\n  {what}: {number:.3g} {unit}", end="")  # noqa: T201

    return out


def memory(host, words):
    """Proportional and resident KiB of the processes with these words, by process."""
    found = []
    for pid in (pid for pid, command in host.processes().items() if words in command):
        rows = dict(line.split(":", 1) for line in host.run("cat", f"/proc/{pid}/smaps_rollup").splitlines()[1:])
        found.append((int(rows["Pss"].split()[0]), int(rows["Rss"].split()[0])))
    return found


def small(number):
    return document(number, public=[address(9 + number, source_nat=True)], dhcp=[card(10)], machines=[machine(10)])


def test_figures_of_one_router_and_of_many(host, say):
    first = host.apply(small(1))["seconds"]
    say("first router of a host up (with the metadata process)", first * 1000, "ms")
    others = [host.apply(small(number))["seconds"] for number in range(2, ROUTERS + 1)]
    say("a further router up, median", sorted(others)[len(others) // 2] * 1000, "ms")
    same = [host.apply(small(number))["seconds"] for number in range(1, ROUTERS + 1)]
    say("the same document again, median", sorted(same)[len(same) // 2] * 1000, "ms")
    changed = [
        host.apply({**small(number), "generation": 2, "firewall": [rule(9 + number, "tcp", 22)]})["seconds"]
        for number in range(1, ROUTERS + 1)
    ]
    say("a firewall rule more, median", sorted(changed)[len(changed) // 2] * 1000, "ms")
    say(f"healing {ROUTERS} routers of which nothing is wrong", host.agent("heal")["seconds"] * 1000, "ms")
    say("the same, looking at processes only", host.agent("watch")["seconds"] * 1000, "ms")
    dns, web = memory(host, "dnsmasq"), memory(host, "metadata.server")
    assert (len(dns), len(web)) == (ROUTERS, 1)
    say("memory of a dnsmasq, proportional", sum(pss for pss, _ in dns) / ROUTERS / 1024, "MiB")
    say("memory of a dnsmasq, resident", sum(rss for _, rss in dns) / ROUTERS / 1024, "MiB")
    say(f"memory of the metadata process of {ROUTERS} routers, proportional", web[0][0] / 1024, "MiB")
    say("the same, resident", web[0][1] / 1024, "MiB")
    removed = [host.agent("remove", network(number))["seconds"] for number in range(1, ROUTERS + 1)]
    say("a router removed, median", sorted(removed)[len(removed) // 2] * 1000, "ms")
    assert first < 10


def test_figures_of_a_large_network(host, say):
    lasts = range(10, 10 + MACHINES)
    cards = [card(last) for last in lasts]
    told = [machine(last, user_data="QUJD" * 1000) for last in lasts]
    firewall = [rule(10, "tcp", 1000 + number) for number in range(100)]
    large = document(1, dhcp=cards, machines=told, firewall=firewall)

    say(f"a network of {MACHINES} machines and 100 rules up", host.apply(large)["seconds"] * 1000, "ms")
    say("the same again", host.apply(large)["seconds"] * 1000, "ms")
    more = {**large, "generation": 2, "dhcp": cards[:-1], "machines": told[:-1]}
    say("one machine less", host.apply(more)["seconds"] * 1000, "ms")
    say("its document", len(json.dumps(large)) / 1024, "KiB")
    host.agent("remove", network())


def test_a_start_from_the_first_byte_to_the_first_packet(world, host, say):
    server = Server(world.inet, 5001)
    host.apply(small(1))
    guest = world.guest(host, "cpb-x1001", mac(10), "vm10")
    host.agent("remove", network())
    began = time.monotonic()
    host.apply(small(1))
    guest.dhcp()
    assert ask(guest, OUTSIDE, 5001).startswith("inet")
    say("from the document to a lease and a packet outside", (time.monotonic() - began) * 1000, "ms")
    server.close()
    host.agent("remove", network())
