"""The wizard for a Basic zone, from an empty installation to a machine that its security group lets in."""

import re

import pytest

from tests.browser.conftest import Person
from tests.browser.test_first_machine import choose
from tests.browser.test_zone import answer, go_on, made
from tests.clouds import Cloud

ANSWERS = {
    1: {"name": "bas-1", "type": "Basic"},
    2: {},
    3: {},
    4: {"guest_gateway": "192.168.50.1", "guest_start": "192.168.50.10", "guest_end": "192.168.50.200"},
}
ADVANCED = {"pub_gateway", "pub_start", "pub_end", "cidr", "vlans"}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    made = Cloud(tmp_path_factory.mktemp("basic")).up("--no-demo", patience=120)
    assert made.endpoint.exists(), made.said
    yield made.told()["url"]
    made.down()


@pytest.fixture
def root(chromium, empty):
    someone = Person(chromium, empty).log_in("admin", "ROOT")
    yield someone
    wrong = [text for text in someone.said if "Refused" in text or "policy" in text]
    someone.close()
    assert wrong == []


def fill(someone, number, **other):
    answer(someone, number, without=ADVANCED, **(ANSWERS.get(number, {}) | other))


def test_from_an_empty_installation_to_a_machine_with_a_security_group(root):
    root.go("/zones/new")
    assert root.page.locator("#f-cidr").is_visible()
    fill(root, 1)
    assert root.page.locator("#f-cidr").is_hidden()
    go_on(root)
    for number in (2, 3):
        assert root.path == f"/zones/new/{number}"
        assert not root.page.locator("#f-vlans, #f-public").count()
        fill(root, number)
        go_on(root)
    fill(root, 4, guest_start="172.16.0.100", guest_end="172.16.0.110", guest_gateway="172.16.0.1")
    go_on(root)
    assert "The two ranges overlap" in root.text("form#form")
    fill(root, 4)
    go_on(root)
    for number in range(5, 9):
        fill(root, number)
        go_on(root)
    assert root.path == "/zones/new/9"
    assert root.violations() == []
    root.press("Make the zone")
    made(root)

    assert root.page.inner_text("h1") == "bas-1"
    assert "Enabled" in root.text(".head")
    group = a_group_that_lets_ssh_in(root)
    deploy(root, group)
    assert "192.168.50." in root.text("section[aria-labelledby=reach]")
    assert "203.0.113.0/24" in root.text("section[aria-labelledby=reach]")
    assert root.page.locator("dd a", has_text=group).count() == 1
    assert root.violations() == []


def a_group_that_lets_ssh_in(someone):
    page = someone.page
    someone.go("/do/createSecurityGroup")
    page.fill("#f-name", "web")
    page.locator("form#form [data-send], form [data-send]").first.click()
    page.wait_for_load_state()
    someone.go("/security-groups")
    page.locator("main a", has_text="web").first.click()
    page.wait_for_load_state()
    form = page.locator("form", has=page.locator("[name=cidrlist]")).first
    form.locator("[name=startport]").fill("22")
    form.locator("[name=cidrlist]").fill("203.0.113.0/24")
    form.locator("button:not([name=remove])").last.click()
    page.wait_for_selector("text=203.0.113.0/24")
    return "web"


def deploy(someone, group):
    page = someone.page
    for _ in range(60):
        someone.go("/templates")
        if re.search(r"CentOS.*\n?.*Yes", someone.text()):
            break
        page.wait_for_timeout(1000)
    someone.go("/machines/new")
    choose(page, "bas-1")
    someone.press("Next: Template or ISO")
    page.locator(".pick input").first.check()
    someone.press("Next: Compute offering")
    page.locator("tr", has_text="Small Instance").locator("input").check()
    someone.press("Next: Data disk")
    choose(page, "No data disk")
    someone.press("Next: Network")
    assert "Nothing" not in someone.text("#form")
    groups = page.locator("table", has=page.locator("[name=securitygroupid]"))
    assert "tcp 22: 203.0.113.0/24" in groups.inner_text()
    for box in groups.locator("input").all():
        box.uncheck()
    groups.locator("tr", has_text=group).locator("input").check()
    someone.page.wait_for_selector(f"#summary dd:has-text('{group}')")
    assert someone.violations() == []
    someone.shot("wizard-basic-network")
    someone.press("Next: Name and launch")
    assert "securitygroupids" in someone.text("aside")
    page.wait_for_selector("#plan:has-text('Fits: there is room')", timeout=30_000)
    assert "chosen" in someone.text("#plan")  # where, for administrators
    page.fill("#f-name", "first")
    page.locator("button[name=launch]").click()
    page.wait_for_url(re.compile("/launch"))
    page.wait_for_selector("text=Launched in", timeout=90_000)
    assert "Running" in someone.text()
    page.click("text=Open the machine")
    page.wait_for_load_state()
