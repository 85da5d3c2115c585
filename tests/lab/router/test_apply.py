"""Applying: twice, in the wrong order, halfway, killed; and the end of a router."""

import json
import os
import random
import re
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.lab.tools.documents import address, card, document, egress, forward, mac, machine, network, rule
from tests.lab.tools.spaces import HERE, PYTHON, wait
from tests.lab.tools.traffic import get, resolve

ROUNDS = int(os.environ.get("LAB_KILLS", "15"))


def full(generation=1, **given):
    """A network that uses all that there is."""
    values = {
        "dhcp": [card(10), card(11, default=False)],
        "machines": [machine(10, user_data=b"#!", keys=["ssh-rsa A"], password="secret"), machine(11)],
        "public": [address(10, source_nat=True), address(12)],
        "firewall": [rule(10, "tcp", 8022), rule(12, "icmp", icmp=(8, 0))],
        "egress": [egress("tcp", 25)],
        "port_forwarding": [forward(8022, 22)],
        "static_nat": [{"ip": "198.51.100.12", "to": "10.1.1.11"}],
    }
    return document(1, generation, **values | given)


def snapshot(host, number=1, *, handles=False):
    """All that there is of a network on a host, as far as it is the same each time it is made."""
    name, flag = network(number), "-a" if handles else ""
    asked = [
        f"ip netns exec cp-{name} nft {flag} list table inet router",
        f"ip netns exec cp-{name} nft {flag} list table inet usage",
        f"ip netns exec cp-{name} nft list tables",
        f"ip -j -n cp-{name} address show",
        f"ip -n cp-{name} route show table all",
        f"ip -n cp-{name} rule",
        "ip -j link show type veth",
    ]
    rules, counted, tables, cards, *rest, plugged = host.run("sh", "-ec", "; echo @@; ".join(asked)).split("@@\n")
    links = {
        row["ifname"]: (row["address"], row["mtu"], row["flags"], [one["local"] for one in row["addr_info"]])
        for row in json.loads(cards)
    }
    return {
        "rules": rules,
        "tables": sorted(tables.splitlines()),
        "counted": re.sub(r"counter packets \d+ bytes \d+|epoch-\w+", "", counted),
        "links": links,
        "routing": rest,
        "files": files(host.state / "routers" / name) | files(host.state / "metadata" / "data" / name),
        "processes": sorted(host.processes().values()),
        "plugged": len(json.loads(plugged)),
    }


def stable(found):
    """Without what differs from one making to the next: the generation, the kernel's numbers of cards."""
    numberless = json.loads(re.sub(r"(dnsmasq-\w{16})-\d+", r"\1", json.dumps({**found, "files": None})))
    texts = {re.sub(r"-\d+\.conf$", "", name): text for name, text in found["files"].items()}
    texts.pop("applied.json")
    return {**numberless, "files": texts}


def files(folder: Path):
    left_out = ("leases", "dnsmasq.pid")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name not in left_out}


@pytest.fixture(autouse=True)
def nothing_left(host):
    yield
    for number in (1, 2, 3):
        host.agent("remove", network(number))


def test_the_second_time_nothing_changes(host):
    host.apply(full())
    before, processes = snapshot(host, handles=True), host.processes()
    written = {path: path.stat().st_mtime_ns for path in host.state.rglob("*") if path.is_file()}

    assert host.agent("plan", document=full())["result"] == []
    host.apply(full())

    assert snapshot(host, handles=True) == before
    assert host.processes() == processes
    assert {path: path.stat().st_mtime_ns for path in host.state.rglob("*") if path.is_file()} == written


def test_the_same_content_of_a_new_generation_changes_only_the_number(host):
    host.apply(full())
    before, processes = snapshot(host, handles=True), host.processes()

    host.apply(full(generation=7))

    after = snapshot(host, handles=True)
    assert json.loads(after["files"].pop("applied.json"))["generation"] == 7
    before["files"].pop("applied.json")
    assert after == before
    assert host.processes() == processes
    assert host.status(network())["generation"] == 7


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"firewall": []}, ["replace the rules"]),
        ({"dhcp": [card(10)]}, ["reload dnsmasq"]),
        ({"mtu": 1400}, ["ip link set * mtu 1400", "ip link set guest mtu 1400", "restart dnsmasq"]),
        ({"machines": [machine(10), machine(11)]}, ["change what machines are told"]),
        (
            {"public": [address(10, source_nat=True), address(12), address(13)]},
            ["replace the rules", "ip address add 198.51.100.13/24 dev pub0", "change what is counted"],
        ),
        ({"dns": ["192.0.2.53"]}, ["restart dnsmasq"]),
    ],
)
def test_only_what_differs_is_changed(host, change, expected):
    host.apply(full())

    planned = [re.sub(r"cpr\w+", "*", line) for line in host.agent("plan", document=full(2, **change))["result"]]
    host.apply(full(2, **change))

    assert planned == expected
    assert host.agent("plan", document=full(2, **change))["result"] == []


def test_an_older_generation_does_not_replace_a_newer_one(host):
    host.apply(full(5))
    before = snapshot(host, handles=True)

    answer = host.apply(full(4, firewall=[], dhcp=[]))

    assert answer["result"] == 5
    assert snapshot(host, handles=True) == before


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"colour": "red"}, "colour: unknown key"),
        ({"vpn": [{}]}, "vpn: is not served yet and must be empty"),
        ({"firewall": [rule(10, "tcp", 22, sources=["x; reboot"])]},
         "firewall[0].from[0]: 'x; reboot' is no network in the form 10.1.1.0/24"),
        ({"guest_label": "other"}, "segment: this host has no physical network 'other'"),
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_changes_nothing(host, change, text):
    host.apply(full())
    before, processes = snapshot(host, handles=True), host.processes()

    answer = host.agent("apply", document=full(2, **change))

    assert answer["error"] == {"kind": "invalid", "text": text}
    assert snapshot(host, handles=True) == before
    assert host.processes() == processes
    assert host.status(network())["wanted"] == 1


def test_what_is_no_json_is_said_so(host):
    done = subprocess.run(host.command("apply"), input="{", capture_output=True, text=True)  # noqa: S603

    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["text"].startswith("document: is no JSON: ")
    assert host.processes() == {}


def test_two_at_once_are_one_after_the_other(host):
    words, text = host.command("apply"), json.dumps(full())
    both = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]  # noqa: S603
    for each in both:
        each.stdin.write(text)
        each.stdin.close()

    answers = [json.loads(each.stdout.read()) for each in both]

    for each in both:
        each.wait()
        each.stdout.close()
    assert [answer["result"] for answer in answers] == [1, 1]
    assert host.agent("plan", document=full())["result"] == []


def test_a_router_that_somebody_is_changing_is_busy(host):
    host.apply(full())
    lock = host.state / "locks" / network()
    holder = subprocess.Popen(host.words("flock", lock, "-c", "echo held; sleep 60"), stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert holder.stdout.readline() == "held\n"

    answer = host.agent("apply", document=full(2, firewall=[]))

    host.run("pkill", "-f", "^sleep 60$")
    holder.wait()
    holder.stdout.close()
    assert answer["error"] == {"kind": "busy", "text": f"{network()}: an earlier call is still under way"}
    assert host.status(network())["wanted"] == 1


def kill_during(host, seconds, *words, document=None):
    """Start the program and kill it, but not what it started, after so many seconds; was it still there?"""
    process = subprocess.Popen(  # noqa: S603
        host.command(*words), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    process.stdin.write(json.dumps(document) if document else "")
    process.stdin.close()
    time.sleep(seconds)
    program = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in program:
        with suppress(ProcessLookupError):  # it has ended just now
            os.kill(int(pid), signal.SIGKILL)
    process.wait()
    return bool(program)


CHANGES = (
    {},
    {"firewall": [], "port_forwarding": [], "static_nat": []},
    {"dhcp": [card(10)], "machines": []},
    {"public": [address(10, source_nat=True)], "static_nat": []},
    {"mtu": 1400, "services": ["SourceNat", "Dns"]},
    None,  # remove
)


def test_killed_at_any_moment_the_next_time_gets_there(host, capsys):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    host.apply(full())
    expected = stable(snapshot(host))
    host.agent("remove", network())
    began = time.monotonic()
    host.apply(full())
    long = time.monotonic() - began
    hits = 0

    for number in range(ROUNDS):
        at = f"seed {seed}, round {number}"
        for _ in range(chance.randint(1, 2)):
            change = chance.choice(CHANGES)
            words = ("remove", network()) if change is None else ("apply",)
            given = None if change is None else full(2 * number + 2, **change)
            hits += kill_during(host, chance.uniform(0, long), *words, document=given)
        if chance.random() < 0.3:
            host.agent("heal")
        if chance.random() < 0.3:
            host.agent("remove", network())
        wanted = full(2 * number + 3)
        assert host.apply(wanted)["result"] == 2 * number + 3, at
        assert host.agent("plan", document=wanted)["result"] == [], at
        assert stable(snapshot(host)) == expected, at
        names = [resolve(partial(host.in_router, network()), "10.1.1.1", name) for name in ("vm10", "vm11")]
        assert names == [["10.1.1.10"], ["10.1.1.11"]], at
        if chance.random() < 0.7:  # else the next one begins with all that is there
            host.agent("remove", network())

    with capsys.disabled():
        print(f"\nkilled {hits} times in {ROUNDS} rounds")  # noqa: T201
    assert hits >= ROUNDS // 2


OTHER = {
    "dhcp": [card(10, "renamed"), card(13)],
    "machines": [machine(10, user_data=b"#! other")],
    "public": [address(10, source_nat=True), address(13)],
    "firewall": [rule(10, "tcp", 8023)],
    "port_forwarding": [forward(8023, 22)],
    "static_nat": [{"ip": "198.51.100.13", "to": "10.1.1.13"}],
    "mtu": None,
}
BEFORE = full(port_forwarding=[forward(8022, 22), forward(9999, 99, protocol="udp")])


@pytest.mark.parametrize(
    ("before", "after", "least"),
    [
        (None, full(**OTHER), 25),
        (BEFORE, full(2, **OTHER), 20),
        (BEFORE, full(2, **OTHER, dns=["192.0.2.53"]), 20),
        (BEFORE, None, 12),
    ],
    ids=["made", "changed", "restarted", "removed"],
)
def test_dead_before_any_of_its_effects_the_next_time_gets_there(host, before, after, least):
    given = json.dumps({"before": before, "after": after})
    words = ("-m", "tests.lab.tools.crashes", host.state, host.layout)

    done = subprocess.run(  # noqa: S603
        host.words("env", f"PYTHONPATH={HERE}", PYTHON, *words), input=given, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["wrong"] == {}
    assert answer["effects"] >= least


def test_a_removal_that_was_killed_is_ended_by_healing(host):
    for share in range(1, 9):
        host.apply(full())

        kill_during(host, share * 0.03, "remove", network())
        host.agent("heal")

        if host.status(network())["wanted"] is None:
            assert host.processes() == {}
            assert not [name for name in host.links() if name.startswith("cpr")]
            assert leftovers(host) == set()


@pytest.fixture
def guest(world, host):
    host.apply(full())
    made = world.guest(host, "cpb-x1001", mac(10), "vm10")
    made.dhcp()
    yield made
    made.run("ip", "link", "del", "eth0")


def serves(guest):
    try:
        named = resolve(guest, "10.1.1.1", "vm11", patience=0.5) == ["10.1.1.11"]
    except OSError:
        return False
    return named and guest.dhcp() and get(guest, "10.1.1.1", "/latest/meta-data/local-hostname") == (200, b"vm10")


@pytest.mark.parametrize(
    "harm",
    [
        ("pkill", "-9", "-f", "^dnsmasq"),
        ("pkill", "-9", "-f", "metadata.server"),
        ("ip", "netns", "del", f"cp-{network()}"),
        ("ip", "netns", "exec", f"cp-{network()}", "nft", "flush", "ruleset"),
        ("ip", "netns", "exec", f"cp-{network()}", "nft", "flush", "table", "inet", "router"),
        ("ip", "netns", "exec", f"cp-{network()}", "nft", "flush", "chain", "inet", "router", "input"),
        ("ip", "netns", "exec", f"cp-{network()}", "nft", "insert", "rule", "inet", "router", "ingress", "accept"),
        ("ip", "netns", "exec", f"cp-{network()}", "nft", "add", "table", "ip", "foreign"),
        ("ip", "netns", "exec", f"cp-{network()}", "nft", "flush", "chain", "inet", "usage", "arriving"),
        ("ip", "netns", "exec", f"cp-{network()}", "ip", "link", "set", "guest", "down"),
        ("ip", "netns", "exec", f"cp-{network()}", "ip", "link", "del", "guest"),
        ("ip", "netns", "exec", f"cp-{network()}", "ip", "address", "flush", "dev", "pub0"),
        ("ip", "netns", "exec", f"cp-{network()}", "ip", "route", "flush", "default"),
        ("ip", "netns", "exec", f"cp-{network()}", "sysctl", "-qw", "net.ipv4.ip_forward=0"),
    ],
    ids=lambda words: " ".join(words[-3:]),
)
def test_what_died_or_was_changed_by_hand_is_healed(host, guest, harm):
    expected = stable(snapshot(host))
    host.run(*harm)
    wait(lambda: host.agent("plan", document=full())["result"], what="the harm")

    answer = host.agent("heal")

    assert (answer["result"], list(answer["done"])) == ({}, [network()])
    assert stable(snapshot(host)) == expected
    assert wait(lambda: serves(guest), what="the service")
    assert host.agent("plan", document=full())["result"] == []


def test_where_nothing_has_changed_healing_does_nothing(host, guest):
    before, processes = snapshot(host, handles=True), host.processes()
    written = {path: path.stat().st_mtime_ns for path in host.state.rglob("*") if path.is_file()}

    answers = [host.agent(verb) for verb in ("heal", "watch", "heal")]

    assert [(answer["result"], answer["done"]) for answer in answers] == [({}, {})] * 3
    assert snapshot(host, handles=True) == before
    assert host.processes() == processes
    assert {path: path.stat().st_mtime_ns for path in host.state.rglob("*") if path.is_file()} == written


@pytest.mark.parametrize(
    "harm", ["pkill -9 -f ^dnsmasq", "pkill -9 -f metadata.server", f"ip netns del cp-{network()}"]
)
def test_what_died_is_seen_without_starting_a_program(host, guest, harm):
    assert host.agent("watch")["result"] == {}
    host.run(*harm.split())

    assert host.agent("watch")["result"] == {}

    assert wait(lambda: serves(guest), what="the service")
    assert host.agent("plan", document=full())["result"] == []


def test_a_metadata_process_that_hangs_is_replaced(host, guest):
    host.run("pkill", "-STOP", "-f", "metadata.server")

    assert host.agent("heal")["result"] == {}

    assert wait(lambda: serves(guest), what="the service")


def test_health_checks_tell_what_is_wrong(host, guest):
    def failed():
        return {
            check["checkname"]: check["details"] for check in host.status(network())["checks"] if not check["success"]
        }

    assert failed() == {}
    host.run("pkill", "-9", "-f", "^dnsmasq")
    assert set(wait(failed)) == {"dns_check.py", "dhcp_check.py"}
    host.agent("heal")
    host.run("pkill", "-9", "-f", "metadata.server")
    assert set(wait(failed)) == {"webserver_check.py"}
    host.agent("heal")
    host.router(network(), "nft", "flush", "ruleset")
    assert failed() == {"iptables_check.py": "the rules in force are not those of the network"}
    host.agent("heal")
    host.apply(full(2, public=[{**address(10, source_nat=True), "gateway": "198.51.100.250"}, address(12)]))
    assert failed() == {"gateways_check.py": "no answer from 198.51.100.250"}
    host.apply(full(3))
    assert failed() == {}


def test_after_a_start_of_the_host_nothing_comes_up_by_itself(host):
    """The manager may have put the router elsewhere meanwhile; it says so or it applies again."""
    host.apply(full())
    (host.state / "routers" / network() / "boot").write_text("another")
    host.run("ip", "netns", "del", f"cp-{network()}")
    host.run("pkill", "-9", "-f", "^dnsmasq|metadata.server")
    wait(lambda: host.processes() == {})

    assert host.agent("heal")["result"] == {}
    assert host.processes() == {}
    assert (host.status(network())["running"], host.status(network())["generation"]) == (False, None)

    host.apply(full())
    assert host.status(network())["generation"] == 1
    assert host.agent("plan", document=full())["result"] == []


def leftovers(host):
    """Files of a network; locks that are of the host, and empty folders of its form, stay."""
    paths = [path for path in host.state.rglob("*") if path.is_file() or path.is_socket()]
    return {str(path.relative_to(host.state)) for path in paths} - {
        "locks/bridges",
        "locks/metadata",
        "locks/metadata-process",
    }


def test_a_removal_leaves_nothing(host):
    before = (host.links(), host.run("ls", "/run/netns"))
    host.apply(full())
    host.apply(document(2, dhcp=[card(20)], machines=[machine(20)]))

    host.agent("remove", network(1))
    assert [words for words in host.processes().values() if network(1) in words] == []
    assert network(1) not in " ".join(leftovers(host))
    assert host.status(network(2))["generation"] == 1

    host.agent("remove", network(2))
    answer = host.agent("bridges")["result"]
    assert answer["kept"] == []
    assert host.processes() == {}
    assert host.links() - {"cpb-x1001"} <= before[0] | {"eth0", "eth1", "eth2", "lo"}
    assert host.run("ls", "/run/netns") == before[1] == ""
    assert leftovers(host) == set()
    assert host.agent("status", network(1))["result"]["running"] is False


def test_removing_what_is_not_there_is_no_error(host):
    assert host.agent("remove", network(9))["result"] is None
    assert host.agent("remove", "../../etc")["error"]["kind"] == "invalid"


def test_bridges_stay_while_a_router_or_a_guest_is_plugged_in(world, host):
    host.apply(full())
    assert host.agent("bridges")["result"] == {"done": [], "kept": []}
    guest = world.guest(host, "cpb-x1001", mac(10), "vm10")

    host.agent("remove", network())

    assert host.agent("bridges")["result"]["kept"] == ["cpb-x1001"]
    guest.run("ip", "link", "del", "eth0")
    assert "link del cpb-x1001" in host.agent("bridges")["result"]["done"]
    assert {name for name in host.links() if name.startswith("cp")} == set()


def test_a_network_that_grows_and_moves_to_another_segment(world, host):
    host.apply(full())

    host.apply(full(2, cidr="10.1.0.0/16", dhcp=[card(10), {**card(11), "ip": "10.1.200.11"}]))
    far = world.guest(host, "cpb-x1001", mac(11), "vm11")
    assert far.dhcp()["ip"] == "10.1.200.11"
    assert resolve(far, "10.1.1.1", "vm10") == ["10.1.1.10"]

    host.apply(full(3, segment="1099"))
    near = world.guest(host, "cpb-x1099", mac(10), "vm10")
    assert near.dhcp()["ip"] == "10.1.1.10"
    assert far.dhcp() is None
    for each in (far, near):
        each.run("ip", "link", "del", "eth0")


def test_the_gateway_of_a_network_may_change(world, host):
    host.apply(full())
    guest = world.guest(host, "cpb-x1001", mac(10), "vm10")

    host.apply(full(2, gateway="10.1.1.254"))

    assert guest.dhcp()["router"] == "10.1.1.254"
    assert resolve(guest, "10.1.1.254", "vm10") == ["10.1.1.10"]
    assert get(guest, "10.1.1.254", "/latest/meta-data/local-hostname") == (200, b"vm10")
    assert get(guest, "10.1.1.1", "/", patience=0.3) == (0, b"")
    guest.run("ip", "link", "del", "eth0")


def test_the_router_of_a_shared_network_serves_beside_the_gateway(world, host):
    given = {
        "kind": "Shared",
        "public": [],
        "router": {"guest_ip": "10.1.1.2"},
        "services": ["Dhcp", "Dns", "UserData"],
    }

    host.apply(document(3, dhcp=[card(10)], machines=[machine(10)], **given))

    guest = world.guest(host, "cpb-x1003", mac(10), "vm10")
    lease = guest.dhcp()
    assert (lease["router"], lease["dns"], lease["serverid"]) == ("10.1.1.1", "10.1.1.2", "10.1.1.2")
    assert get(guest, "10.1.1.2", "/latest/meta-data/local-hostname") == (200, b"vm10")
    assert host.router(network(3), "ip", "route", "show", "default").startswith("default via 10.1.1.1 dev guest")
    guest.run("ip", "link", "del", "eth0")
