"""The draft of a machine: what is read, what it becomes, what is wrong with it."""

import base64

import pytest

from apps.core import dispatch
from apps.infrastructure.models import Zone
from apps.offerings.models import ServiceOffering
from apps.portal.compute.order import KIND, Order
from apps.portal.compute.steps import STEPS, NetworkStep
from apps.portal.models import Begun, Draft
from tests.portal.conftest import field, text

FULL = Order(
    zoneid="z", zone="fra-1", templateid="t", template="Debian", template_gib=20, offeringid="o", offering="Small",
    cores=4, memory=8192, disk_asked=True, diskid="d", disk="SSD", disk_gib=50, disk_custom=True, root_gib=30,
    networks=[{"id": "n1", "name": "web", "type": "Isolated", "ip": "10.1.1.24"}], networks_asked=True, name="web-04",
    keypair="ops", userdata="#cloud-config\n", start=False,
)  # fmt: skip


def test_an_order_becomes_one_call():
    assert FULL.params() == {
        "zoneid": "z",
        "templateid": "t",
        "serviceofferingid": "o",
        "diskofferingid": "d",
        "size": "50",
        "rootdisksize": "30",
        "networkids": "n1",
        "ipaddress": "10.1.1.24",
        "name": "web-04",
        "keypair": "ops",
        "userdata": base64.b64encode(b"#cloud-config\n").decode(),
        "startvm": "false",
    }


def test_several_addresses_are_named_with_their_networks():
    networks = [{"id": "n1", "name": "a", "ip": ""}, {"id": "n2", "name": "b", "ip": "10.2.0.9"}]
    order = Order(**(FULL.stored() | {"networks": networks}))

    params = order.params()

    assert params["iptonetworklist"] == [{"networkid": "n1"}, {"networkid": "n2", "ip": "10.2.0.9"}]
    assert not {"networkids", "ipaddress"} & params.keys()


def test_what_an_order_takes_of_the_limits():
    assert FULL.takes() == {"vm": 1, "cpu": 4, "memory": 8192, "volume": 2, "primarystorage": 80}
    assert Order().takes() == {"vm": 1}
    iso = Order(source="iso", offeringid="o", cores=1, memory=512, disk_asked=True, diskid="d", disk_gib=40)
    assert iso.takes() == {"vm": 1, "cpu": 1, "memory": 512, "volume": 1, "primarystorage": 40}


def test_a_draft_of_an_older_release_is_read_as_far_as_it_goes():
    assert Order.load({"name": "web", "nosuch": 1}).name == "web"


@pytest.fixture
def world(make, alice):
    """A zone with a template that is ready, an offering and a shared network."""
    zone = make.zone()
    template = make.template(alice.account, size_bytes=2 << 30, hypervisor="Fake")
    return {"zone": zone, "template": template, "offering": make.offering(), "network": make.shared_network()}


def walk(visitor, world, upto=6):
    sent = [
        {"zoneid": str(world["zone"].uuid)},
        {"templateid": str(world["template"].uuid), "from": "templates"},
        {"offeringid": str(world["offering"].uuid)},
        {"diskid": ""},
        {"networkid": [str(world["network"].uuid)], "default": str(world["network"].uuid)},
    ]
    for number, given in enumerate(sent[: upto - 1], 1):
        answer = visitor.post(f"/machines/new/{number}", given)
        assert answer.status_code == 303, text(answer)
        assert answer["Location"] == f"/machines/new/{number + 1}"


def test_six_steps_lead_to_a_machine(browser, alice, world):
    visitor = browser(alice)
    walk(visitor, world)
    page = visitor.page("/machines/new/6")

    answer = visitor.post(
        "/machines/new/6", {"_token": field(page, "_token"), "name": "web-04", "launch": "1", "start": "true"}
    )

    begun = Begun.objects.get()
    assert answer["Location"] == f"/machines/{begun.row}/launch?job={begun.job}"
    assert (begun.command, begun.name, begun.state) == ("deployVirtualMachine", "web-04", "IN_PROGRESS")
    assert not Draft.objects.filter(kind=KIND).exists()
    page = visitor.page(answer["Location"])
    assert "Being launched" in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page


def test_a_launch_that_is_sent_twice_makes_one_machine(browser, alice, world):
    visitor = browser(alice)
    walk(visitor, world)
    sent = {
        "_token": field(visitor.page("/machines/new/6"), "_token"),
        "name": "web-04",
        "launch": "1",
        "start": "true",
    }

    first = visitor.post("/machines/new/6", sent)
    walk(visitor, world)
    second = visitor.post("/machines/new/6", sent)

    assert second["Location"] == first["Location"]
    assert Begun.objects.filter(command="deployVirtualMachine").count() == 1


def test_a_step_that_was_not_answered_is_asked_first(browser, alice, world):
    visitor = browser(alice)

    assert visitor.get("/machines/new/4")["Location"] == "/machines/new/1"
    walk(visitor, world, upto=3)
    assert visitor.get("/machines/new/6")["Location"] == "/machines/new/3"
    assert visitor.get("/machines/new")["Location"] == "/machines/new/3"
    assert visitor.get("/machines/new/7").status_code == 404


def test_another_zone_makes_what_was_chosen_in_the_first_void(browser, alice, world):
    from apps.infrastructure.models import Zone

    (other := Zone(name="z2", allocation_state="Enabled")).save()
    visitor = browser(alice)
    walk(visitor, world)

    visitor.post("/machines/new/1", {"zoneid": str(other.uuid)})

    order = Order.load(Draft.objects.get().values)
    assert (order.zone, order.templateid, order.offeringid, order.networks) == ("z2", "", "", [])


def test_an_offering_over_the_limit_says_by_how_much_and_is_not_taken(browser, alice, make, world):
    from apps.limits.services import set_limit
    from apps.offerings.models import ServiceOffering

    set_limit(kind="memory", limit=1024, account=alice.account, domain=None)
    (large := ServiceOffering(name="large", cpus=2, speed_mhz=1000, memory_mib=4096)).save()
    visitor = browser(alice)
    walk(visitor, world, upto=3)

    assert "3 GiB over the limit: Memory" in visitor.page("/machines/new/3")
    answer = visitor.post("/machines/new/3", {"offeringid": str(large.uuid)})

    assert answer.status_code == 422
    assert "Memory: 0 of 1 GiB are in use; this is 3 too much." in text(answer)
    assert Order.load(Draft.objects.get().values).offeringid == ""


def test_a_refusal_leads_back_to_the_step_that_asked(browser, alice, make, world):
    visitor = browser(alice)
    walk(visitor, world)
    page = visitor.page("/machines/new/6")
    world["offering"].mark_removed()

    answer = visitor.post("/machines/new/6", {"_token": field(page, "_token"), "name": "web-04", "launch": "1"})

    assert answer.status_code == 422
    assert Begun.objects.filter(state="IN_PROGRESS").count() == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [("Web 04!", "Suggestion: web-04"), ("-x", "Suggestion: x"), ("", "Only letters"), ("a" * 64, "at most 63")],
)
def test_a_name_is_looked_at_before_it_is_sent(browser, alice, world, name, said):
    visitor = browser(alice)
    walk(visitor, world)
    page = visitor.page("/machines/new/6")

    answer = visitor.post("/machines/new/6", {"_token": field(page, "_token"), "name": name, "launch": "1"})

    assert answer.status_code == 422
    assert said in text(answer)
    assert Begun.objects.count() == 0


def test_a_script_that_is_too_long_says_how_long_it_is(browser, alice, world):
    visitor = browser(alice)
    walk(visitor, world)
    sent = {"_token": field(visitor.page("/machines/new/6"), "_token"), "name": "web", "launch": "1"}

    answer = visitor.post("/machines/new/6", sent | {"userdata": "x" * 38 * 1024})

    assert answer.status_code == 422
    assert "38 KiB; at most 32 KiB" in text(answer)


@pytest.mark.parametrize(("ip", "said"), [("10.9.0.300", "is no address"), ("192.0.2.7", "is not in 10.9.0.0/24")])
def test_an_address_is_looked_at_before_it_is_sent(browser, alice, world, ip, said):
    visitor, key = browser(alice), str(world["network"].uuid)
    walk(visitor, world, upto=5)

    answer = visitor.post("/machines/new/5", {"networkid": [key], "default": key, f"ip-{key}": ip})

    assert answer.status_code == 422
    assert said in text(answer)


def test_what_is_chosen_is_summed_up_and_kept_only_when_it_is_sent(browser, alice, world):
    visitor = browser(alice)

    part = visitor.post("/machines/new/1", {"zoneid": str(world["zone"].uuid)}, **{"HX-Request": "true"})

    assert "<dd>z1</dd>" in text(part)
    assert Draft.objects.count() == 0


def test_a_draft_is_of_its_user_and_can_be_discarded(browser, alice, make, world):
    visitor = browser(alice)
    walk(visitor, world, upto=3)

    other = browser(make.caller("bob"))
    assert other.get("/machines/new")["Location"] == "/machines/new/1"
    visitor.post("/machines/new/discard")
    assert Draft.objects.count() == 0


def test_the_steps_are_six_and_numbered():
    assert [step.number for step in STEPS] == [1, 2, 3, 4, 5, 6]
    assert STEPS[4] is NetworkStep


def rehearsed(visitor, work):
    """What the last step is told, when the job is through."""
    asked = text(visitor.part("/machines/new/plan"))
    work()
    return text(visitor.part(asked.split('hx-get="', 1)[1].split('"', 1)[0]))


def test_administrators_read_why_there_is_no_room(browser, make, world, work):
    root = make.root()
    make.host("kvm-1")
    ServiceOffering.all_tenants.update(host_tags="gpu")
    visitor = browser(root)
    world["template"] = make.template(root.account, size_bytes=2 << 30, hypervisor="Fake")
    walk(visitor, world)

    shown = rehearsed(visitor, work)

    assert "There is no room in z1 now" in shown
    assert "Only administrators see this" in shown
    assert "1 fell out: without host tags gpu" in shown


def test_administrators_read_where_there_is_room(browser, make, world, work):
    root = make.root()
    host, _ = make.host("kvm-1"), make.pool()
    visitor = browser(root)
    world["template"] = make.template(root.account, size_bytes=2 << 30, hypervisor="Fake")
    walk(visitor, world)

    shown = rehearsed(visitor, work)

    assert "Fits: there is room in z1" in shown
    assert f'<a href="/hosts/{host.uuid}">kvm-1</a>' in shown
    assert "chosen" in shown


def test_customers_read_whether_there_is_room_and_no_more(browser, alice, make, world, work):
    make.host("kvm-1")
    visitor = browser(alice)
    walk(visitor, world)

    shown = rehearsed(visitor, work)

    assert "Only administrators see this" not in shown
    assert "kvm-1" not in shown
    assert "z1" in shown


def test_what_others_have_is_not_offered_to_who_may_see_it(browser, make, alice, world):
    root, other = make.root(), dispatch.call(alice, "createSSHKeyPair", name="of-alice")["keypair"]
    dispatch.call(alice, "createSecurityGroup", name="of-alice")
    Zone.all_tenants.update(security_groups_enabled=True)
    world["template"] = make.template(root.account, size_bytes=2 << 30, hypervisor="Fake")
    visitor = browser(root)
    walk(visitor, world)

    shown = visitor.page("/machines/new/5") + visitor.page("/machines/new/6")

    assert other["name"] not in shown
    assert str(world["network"].uuid) in shown
