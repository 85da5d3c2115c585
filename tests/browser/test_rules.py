"""Editors of rules: looked at while one types, sent once they are right."""

import random

import pytest


@pytest.fixture
def network(api):
    return next(n["id"] for n in api.listNetworks()["network"] if n["type"] == "Isolated")


def test_a_port_is_forwarded_and_taken_back(person, network, api):
    someone, port = person().log_in(), str(random.randint(10_000, 60_000))
    someone.go(f"/networks/{network}/rules")
    page = someone.page
    page.fill("#forward input[name=publicport]", port)
    page.fill("#forward input[name=privateport]", "80")

    page.fill("#forward input[name=cidrlist]", "198.51.100.17/24")
    page.wait_for_selector("#problems-forward:has-text('is not the beginning of a range')")
    someone.shot("network-rules-wrong")
    assert someone.violations() == []
    page.locator("#problems-forward a", has_text="198.51.100.0/24").click()
    page.wait_for_load_state()
    assert page.input_value("#forward input[name=publicport]") == port
    page.locator("#forward button.btn-primary").click()
    page.wait_for_load_state()

    page.wait_for_selector(f"#forward tr:has-text('{port}') .state:has-text('Active')", timeout=30_000)
    rules = api.listPortForwardingRules()["portforwardingrule"]
    assert [rule["cidrlist"] for rule in rules if rule["publicport"] == port] == ["198.51.100.0/24"]
    row = page.locator(f"#forward tr:has-text('{port}')")
    row.locator("summary").click()
    row.locator("button", has_text="Delete").click()
    page.wait_for_load_state()
    for _ in range(20):
        left = api.listPortForwardingRules().get("portforwardingrule", [])
        if port not in [rule["publicport"] for rule in left]:
            break
        page.wait_for_timeout(500)
    assert port not in [rule["publicport"] for rule in left]


def test_a_port_that_is_taken_is_said_before_it_is_sent(person, network, api):
    someone, port = person().log_in(), str(random.randint(10_000, 60_000))
    someone.go(f"/networks/{network}/rules")
    page = someone.page
    for _ in range(2):
        page.fill("#forward input[name=publicport]", port)
        page.fill("#forward input[name=privateport]", "80")
        page.locator("#forward button.btn-primary").click()
        page.wait_for_load_state()

    assert "already leads to" in page.inner_text("#problems-forward")
    rules = api.listPortForwardingRules()["portforwardingrule"]
    assert len([rule for rule in rules if rule["publicport"] == port]) == 1


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_hole_in_the_firewall_is_made(person, network, api, script):
    someone, port = person(script=script).log_in(), random.randint(10_000, 60_000)
    someone.go(f"/networks/{network}/rules")
    page = someone.page

    page.fill("#hole input[name=startport]", str(port))
    page.fill("#hole input[name=cidrlist]", "192.0.2.0/24")
    page.locator("#hole tr.inline-form button").click()
    page.wait_for_load_state()

    rules = api.listFirewallRules()["firewallrule"]
    assert [rule["cidrlist"] for rule in rules if rule["startport"] == port] == ["192.0.2.0/24"]
