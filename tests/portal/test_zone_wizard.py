"""The draft of a zone: its checks, and a plan that makes nothing twice."""

import pytest

from apps.accounts.tenants import caller_for
from apps.infrastructure.models import Host, Pod, Zone
from apps.portal.infrastructure import zone_checks, zone_plan
from apps.portal.infrastructure.zone_draft import KIND, STEPS, ZoneDraft
from apps.portal.models import Draft
from apps.portal.visits import Visit
from tests.portal.conftest import field

ANSWERS = {
    "name": "fra-1", "type": "Advanced", "dns1": "192.0.2.53", "internaldns1": "192.0.2.53", "cidr": "10.1.1.0/24",
    "net": "net", "vlans": "100-199", "pod": "pod 1", "pod_gateway": "172.16.0.1", "pod_netmask": "255.255.255.0",
    "pod_start": "172.16.0.10", "pod_end": "172.16.0.20", "pub_gateway": "198.51.100.1", "pub_netmask": "255.255.255.0",
    "pub_start": "198.51.100.10", "pub_end": "198.51.100.20", "cluster": "c", "hypervisor": "Simulator",
    "arch": "x86_64", "host": "sim1", "user": "root", "pool": "disks", "scope": "CLUSTER",
    "pool_url": "nfs://192.0.2.10/primary", "store": "images", "store_url": "nfs://192.0.2.10/secondary",
}  # fmt: skip

SECRET = "hush-hush"  # noqa: S105 - of nobody


def draft(**other):
    return ZoneDraft(answers=ANSWERS | other)


def wrong(visit, number, **other):
    checks = zone_checks.of_step(visit, draft(**other), number)
    return [(check.about, check.text) for check in checks if not check.passed]


@pytest.fixture
def visit(make, rf, db):
    account = make.root().account
    return Visit(rf.get("/"), caller_for(account, account.users.get(), "session"))


def test_a_draft_as_it_should_be_passes_every_check(visit):
    assert [wrong(visit, step.number) for step in STEPS] == [[]] * 9


def test_a_name_that_is_taken_is_said(visit, make):
    make.zone()

    assert wrong(visit, 1, name="z1") == [("name", "There is a zone z1 already")]


@pytest.mark.parametrize(
    ("number", "other", "found"),
    [
        (1, {"dns1": "192.0.2"}, [("dns1", "192.0.2 is no IPv4 address")]),
        (1, {"cidr": "10.1.1.5/24"}, [("cidr", "10.1.1.5/24 is no range of addresses")]),
        (2, {"vlans": "200-100"}, [("vlans", "200-100 are no VLANs")]),
        (2, {"vlans": "1-5000"}, [("vlans", "1-5000 are no VLANs")]),
        (
            3,
            {"guest": "a-very-long-bridge", "hypervisor": "KVM"},
            [("guest", "a-very-long-bridge is too long for a bridge")],
        ),
        (4, {"pod_end": "172.16.0.5"}, [("pod_end", "System machines: the last address is before the first")]),
        (4, {"pod_start": "172.16.0.1"}, [("pod_start", "System machines: the gateway 172.16.0.1 is in the range")]),
        (4, {"pub_end": "198.51.101.9"}, [("pub_end", "Public: 198.51.101.9 is not in 198.51.100.0/24")]),
        (6, {"hypervisor": "KVM"}, [("host", "A simulated host and another hypervisor do not go together")]),
        (7, {"pool_url": "nfs://server"}, [("pool_url", "nfs://server is no address of a share")]),
        (8, {"store_url": "nfs://192.0.2.10/primary"}, [("store_url", "Primary and secondary storage are the same")]),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(visit, number, other, found):
    assert wrong(visit, number, **other) == found


def test_a_range_of_another_pod_is_taken(visit, make):
    Pod(
        zone=make.zone(),
        name="p",
        gateway="172.16.0.1",
        netmask="255.255.0.0",
        start_ip="172.16.0.15",
        end_ip="172.16.0.30",
    ).save()

    assert wrong(visit, 4) == [("pod_start", "172.16.0.10–172.16.0.20 overlaps the pod p of z1")]


def test_a_host_that_does_not_answer_can_be_passed_over(visit):
    checks = zone_checks.of_step(visit, draft(hypervisor="KVM", host="127.0.0.1:1"), 6)

    assert [(check.passed, check.soft) for check in checks] == [(False, True)]


def test_the_password_is_kept_sealed_and_never_shown(browser, make):
    visitor = browser(make.root())
    keep(visitor, done=[1, 2, 3, 4, 5])
    page = visitor.page("/zones/new/6")

    visitor.post("/zones/new/6", {"host": "sim1", "user": "root", "password": SECRET, "hosttags": ""})

    kept = Draft.objects.get(kind=KIND).values
    assert SECRET not in str(kept)
    assert ZoneDraft.load(kept).password == SECRET
    assert SECRET not in visitor.page("/zones/new/6")
    assert 'name="password"' in page


def keep(visitor, **values):
    Draft.objects.update_or_create(user=visitor.user, kind=KIND, defaults={"values": draft().stored() | values})


def test_an_answer_that_is_changed_makes_later_checks_void(browser, make):
    visitor = browser(make.root())
    keep(visitor, done=[1, 2, 3, 4, 5])

    visitor.post("/zones/new/2", {"net": "other", "vlans": "100-110"})

    assert Draft.objects.get(kind=KIND).values["done"] == [1, 2]


def test_no_step_is_jumped_over(browser, make):
    visitor = browser(make.root())
    keep(visitor, done=[1, 2])

    assert visitor.get("/zones/new/9").url == "/zones/new/3"
    assert visitor.get("/zones/new").url == "/zones/new/3"


def test_who_may_make_no_zone_finds_no_wizard(browser, alice):
    assert browser(alice).get("/zones/new").status_code == 404


def test_the_plan_is_carried_out_once(visit, work):
    """What is there is not made again, even where the page has forgotten that it made it."""
    row = draft()
    for _ in range(40):
        zone_plan.advance(visit, row, budget=0)
        work()
        if row.failed or "enable" in row.made:
            break
    assert row.failed == {}
    assert Zone.all_tenants.get().allocation_state == "Enabled"

    again = draft()
    for _ in range(40):
        zone_plan.advance(visit, again, budget=0)
        if again.failed or "enable" in again.made:
            break

    assert again.failed == {}
    assert (Zone.all_tenants.count(), Host.all_tenants.count()) == (1, 1)
    assert again.made["zone"] == row.made["zone"]


def test_it_stops_where_something_is_refused_and_goes_on_from_there(visit, work):
    row = draft(pool_url="nfs://")
    for _ in range(40):
        zone_plan.advance(visit, row, budget=0)
        work()
        if row.failed:
            break
    assert row.failed["key"] == "pool"
    assert "host" in row.made

    row.answers["pool_url"] = ANSWERS["pool_url"]
    for _ in range(40):
        zone_plan.advance(visit, row, budget=0)
        work()
        if row.failed or "enable" in row.made:
            break

    assert row.failed == {}
    assert Host.all_tenants.count() == 1


def test_a_last_step_sent_twice_is_carried_out_once(browser, make):
    visitor = browser(make.root())
    keep(visitor, done=list(range(1, 9)))
    token = field(visitor.page("/zones/new/9"), "_token")

    answers = [visitor.post("/zones/new/9", {"_token": token}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert Zone.all_tenants.count() == 1
