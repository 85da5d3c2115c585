"""The wizard for a zone, from an empty installation to a machine that runs in what it made."""

import re

import pytest

from tests.browser.conftest import Person
from tests.browser.test_first_machine import choose
from tests.clouds import Cloud

ANSWERS = {
    1: {"name": "fra-1", "dns1": "192.0.2.53", "internaldns1": "192.0.2.53"},
    2: {"vlans": "100-199"},
    3: {},
    4: {
        "pod_gateway": "172.16.0.1",
        "pod_start": "172.16.0.10",
        "pod_end": "172.16.0.200",
        "pub_gateway": "198.51.100.1",
        "pub_start": "198.51.100.10",
        "pub_end": "198.51.100.200",
    },
    5: {"hypervisor": "Simulator"},
    6: {"host": "sim1", "password": "password"},
    7: {"pool_url": "nfs://192.0.2.10/primary"},
    8: {"store_url": "nfs://192.0.2.10/secondary"},
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    made = Cloud(tmp_path_factory.mktemp("empty")).up("--no-demo", patience=120)
    assert made.endpoint.exists(), made.said
    yield made.told()["url"]
    made.down()


@pytest.fixture
def root(chromium, empty):
    someone = Person(chromium, empty).log_in("admin", "ROOT")
    yield someone
    someone.close()


def answer(someone, number, *, without=(), **other):
    page = someone.page
    asked = ANSWERS[number] | other
    for name in asked.keys() - set(without):
        value = asked[name]
        field = page.locator(f"#f-{name}")
        if field.evaluate("e => e.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)


def go_on(someone):
    someone.page.locator("form#form [data-send]").click()
    someone.page.wait_for_load_state()


def made(someone):
    """The page follows by itself; where all is quick, the answer leads to the zone at once."""
    someone.page.wait_for_selector("text=/To the zone|Placed here|Capacity/", timeout=60_000)
    if "/zones/new" in someone.path:
        someone.press("To the zone")


def test_from_an_empty_installation_to_a_running_machine(root):
    root.go("/")
    assert "No zone yet" in root.text()
    root.page.locator("main a", has_text="New zone").first.click()
    root.page.wait_for_load_state()

    answer(root, 1, dns1="192.0.2.300")
    go_on(root)
    assert "192.0.2.300 is no IPv4 address" in root.text("form#form")
    answer(root, 1)
    go_on(root)
    for number in (2, 3):
        assert root.path == f"/zones/new/{number}"
        answer(root, number)
        go_on(root)
    answer(root, 4, pub_start="172.16.0.100", pub_end="172.16.0.120", pub_gateway="172.16.0.1")
    go_on(root)
    assert "The two ranges overlap" in root.text("form#form")
    answer(root, 4)
    go_on(root)

    root.go("/zones/new")  # the draft is kept, and goes on where it was left
    assert root.path == "/zones/new/5"
    for number in range(5, 9):
        answer(root, number)
        go_on(root)
    assert root.path == "/zones/new/9"
    assert root.violations() == []
    root.press("Make the zone")
    made(root)

    assert root.page.inner_text("h1") == "fra-1"
    assert "Enabled" in root.text(".head")
    deploy(root)
    assert [text for text in root.said if "Refused" in text or "policy" in text] == []


def deploy(someone):
    """As the operator itself: the first machine of the zone."""
    page = someone.page
    for _ in range(60):
        someone.go("/templates?zoneid=" + page.url.rpartition("/")[2] if "/zones/" in page.url else "/templates")
        if re.search(r"CentOS.*\n?.*Yes", someone.text()):
            break
        page.wait_for_timeout(1000)
    someone.go("/machines/new")
    choose(page, "fra-1")
    someone.press("Next: Template or ISO")
    page.locator(".pick input").first.check()
    someone.press("Next: Compute offering")
    page.locator("tr", has_text="Small Instance").locator("input").check()
    someone.press("Next: Data disk")
    choose(page, "No data disk")
    someone.press("Next: Network")
    page.fill("[name=new_name]", "web")  # there is none, so the form is open
    page.locator("button[name=make]").click()
    page.wait_for_load_state()
    someone.press("Next: Name and launch")
    page.wait_for_selector("#plan:has-text('Fits: there is room')", timeout=30_000)
    assert "chosen" in someone.text("#plan")  # where, for administrators
    page.fill("#f-name", "first")
    page.locator("button[name=launch]").click()
    page.wait_for_url(re.compile("/launch"))
    page.wait_for_selector("text=Launched in", timeout=90_000)
    assert "Running" in someone.text()


def test_a_plan_that_failed_goes_on_where_it_stopped(root):
    """The share of the second zone is refused: its pool is there already, of the first one."""
    root.go("/zones/new")
    for number in range(1, 9):
        other = {
            1: {"name": "fra-2", "cidr": "10.2.0.0/24"},
            4: {
                "pod_start": "172.17.0.10",
                "pod_end": "172.17.0.20",
                "pod_gateway": "172.17.0.1",
                "pub_start": "203.0.113.10",
                "pub_end": "203.0.113.20",
                "pub_gateway": "203.0.113.1",
            },
            6: {"host": "sim2"},
            7: {"pool_url": "nfs://192.0.2.10/primary"},
            8: {"store_url": "nfs://192.0.2.10/secondary2"},
        }
        answer(root, number, **other.get(number, {}))
        go_on(root)
    root.press("Make the zone")
    root.page.wait_for_selector("text=/It stopped here|To the zone/", timeout=60_000)
    said = root.text("#plan")
    assert "It stopped here" in said
    root.page.click("text=/Change it in step 7/")
    root.page.wait_for_load_state()
    root.page.fill("#f-pool_url", "nfs://192.0.2.10/primary2")
    go_on(root)
    root.press("Go on from here")
    made(root)

    assert root.page.inner_text("h1") == "fra-2"
    root.go("/hosts")
    assert root.page.locator("tbody tr").count() == 2
