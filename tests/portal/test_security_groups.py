"""Security groups: their editor, the choice of them in the wizard, and what they mean for reaching a machine."""

from types import SimpleNamespace

import pytest

from apps.core import dispatch
from apps.firewall.models import SecurityGroupRule
from apps.infrastructure.models import Zone
from apps.portal.compute.order import Order
from apps.portal.compute.reach import _guarded
from apps.portal.firewall import groups
from tests.portal.conftest import field, text

SSH = {"protocol": "tcp", "startport": "22", "cidrlist": "203.0.113.0/24"}


@pytest.fixture
def group(alice):
    return dispatch.call(alice, "createSecurityGroup", name="web")["securitygroup"]["id"]


@pytest.fixture
def rules(work):
    def said():
        work()
        return list(SecurityGroupRule.all_tenants.values_list("protocol", "start_port", "cidr"))

    return said


@pytest.fixture
def visitor(browser, alice, monkeypatch):
    monkeypatch.setattr(groups, "PATIENCE", 0)
    return browser(alice)


def add(visitor, group, token="", /, **rule):
    address = f"/security-groups/{group}"
    return visitor.post(
        address, {"_token": token or field(visitor.page(address), "_token"), "way": "ingress", **SSH, **rule}
    )


def test_a_rule_is_added_once_however_often_it_is_sent(visitor, group, rules):
    token = field(visitor.page(f"/security-groups/{group}"), "_token")

    answers = [add(visitor, group, token) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert rules() == [("tcp", 22, "203.0.113.0/24")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"startport": ""}, "A port is needed"),
        ({"startport": "70000"}, "70000 is no port"),
        ({"startport": "90", "endport": "80"}, "The last port is before the first"),
        ({"cidrlist": "203.0.113.7/24"}, "203.0.113.7/24 is no range of addresses"),
        ({"group": "web"}, "Addresses or a security group, not both"),
        ({"token": "of another day"}, "This page was too old. Nothing was sent"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_sent(visitor, group, rules, wrong, said):
    token = wrong.get("token", "")
    answer = add(visitor, group, token, **{name: value for name, value in wrong.items() if name != "token"})

    assert answer.status_code == 422
    assert said in text(answer)
    assert rules() == []


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        ({"cidrlist": "", "group": "web"}, ("tcp", 22, "", "web")),
        ({"protocol": "all"}, ("all", None, "203.0.113.0/24", None)),
        ({"protocol": "icmp"}, ("icmp", None, "203.0.113.0/24", None)),
    ],
)
def test_rules_name_groups_too_and_protocols_without_ports(visitor, group, work, typed, rule):
    answer = add(visitor, group, **typed)
    work()

    assert answer.status_code == 303
    rows = SecurityGroupRule.all_tenants.values_list("protocol", "start_port", "cidr", "other__name")
    assert list(rows) == [rule]


def test_what_is_refused_stands_in_the_editor(visitor, group, rules, work, monkeypatch):
    monkeypatch.setattr(groups, "PATIENCE", 5)
    monkeypatch.setattr(groups.services, "PAUSE", 0)
    monkeypatch.setattr(groups.services.time, "sleep", lambda _: work())
    add(visitor, group)

    again = add(visitor, group)

    assert again.status_code == 422
    assert "there is such a rule in security group web already" in text(again)
    assert rules() == [("tcp", 22, "203.0.113.0/24")]


ORDER = Order(zoneid="z", zone_groups=True, groups=[{"id": "g1", "name": "web"}, {"id": "g2", "name": "db"}])


def test_chosen_groups_are_part_of_the_call_where_a_network_has_them():
    shared = [{"id": "n", "name": "guest", "type": "Shared", "ip": ""}]
    apart = [{"id": "n", "name": "web", "type": "Isolated", "ip": ""}]

    def params(**other):
        return Order(**(ORDER.stored() | other)).params().get("securitygroupids")

    assert params() == "g1,g2"
    assert params(networks=shared) == "g1,g2"
    assert params(networks=apart) is None
    assert params(zone_groups=False) is None
    assert params(groups=[]) is None


def test_the_wizard_offers_the_groups_of_the_account_with_what_they_let_in(visitor, make, alice, group, work):
    add(visitor, group)
    work()
    zone = make.zone()
    Zone.all_tenants.filter(pk=zone.pk).update(network_type="Basic", security_groups_enabled=True)
    template = make.template(alice.account, size_bytes=2 << 30, hypervisor="Fake")
    answers = ({"zoneid": zone.uuid}, {"templateid": template.uuid, "from": "templates"})
    for number, given in enumerate((*answers, {"offeringid": make.offering().uuid}, {"diskid": ""}), 1):
        assert visitor.post(f"/machines/new/{number}", given).status_code == 303

    shown = visitor.page("/machines/new/5")
    visitor.post("/machines/new/5", {"securitygroupid": [group]})

    assert "tcp 22: 203.0.113.0/24" in shown
    last = visitor.page("/machines/new/6")
    assert f"securitygroupids={group}" in last
    assert "<dt>Security groups</dt><dd>web</dd>" in last.replace("\n", "")


def visit(*rules):
    rows = SimpleNamespace(rows=[{"id": "g", "ingressrule": list(rules)}])
    return SimpleNamespace(may=lambda command: True, list=lambda command, **given: rows)


VM = {"id": "v", "securitygroup": [{"id": "g", "name": "web"}]}


NOBODY = "nobody: no security group lets it in"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], NOBODY),
        ([{"protocol": "tcp", "startport": 80, "endport": 90, "cidr": "0.0.0.0/0"}], NOBODY),
        ([{"protocol": "udp", "startport": 22, "endport": 22, "cidr": "0.0.0.0/0"}], NOBODY),
        ([{"protocol": "tcp", "startport": 1, "endport": 90, "cidr": "192.0.2.0/24"}], "192.0.2.0/24"),
        ([{"protocol": "all", "securitygroupname": "jump"}], "machines of group jump"),
        ([{"protocol": "tcp", "startport": 22, "endport": 22, "cidr": "192.0.2.0/24"}] * 2, "192.0.2.0/24"),
    ],
)
def test_whom_the_groups_of_a_machine_let_log_in(rules, said):
    assert _guarded(visit(*rules), VM) == (said, "/security-groups/g")


def test_a_machine_in_no_group_is_not_guarded():
    assert _guarded(visit(), {"id": "v"}) == ("", "")
