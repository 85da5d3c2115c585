"""Security groups: who may talk to the instances in them."""

from types import SimpleNamespace

import pytest

from apps.accounts.models import Account
from apps.accounts.tenants import caller_for
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.firewall.models import Member, SecurityGroup, SecurityGroupRule
from apps.firewall.services import security_groups as groups
from tests import centre
from tests.conftest import unknown
from tests.test_concurrency import in_threads

pytestmark = pytest.mark.django_db
WEB = {"protocol": "tcp", "startport": 80, "endport": 81}


@pytest.fixture
def who(make):
    alice, bob = make.account(), make.account("bob")
    return SimpleNamespace(alice=caller_for(alice), bob=caller_for(bob), root=make.root(), owner=alice)


@pytest.fixture
def group(api, who):
    return api(who.alice, "createSecurityGroup", name="web", description="web servers")["securitygroup"]


def rule_of(row, direction="ingress"):
    (rule,) = row["securitygroup"][f"{direction}rule"]
    return rule


def test_a_new_group_is_empty_and_its_owners(api, who, group):
    shown = ("name", "description", "account", "ingressrule", "egressrule")
    assert [group[name] for name in shown] == ["web", "web servers", "alice", [], []]
    assert api(who.bob, "listSecurityGroups", id=group["id"]) == {}
    assert [g["name"] for g in api(who.alice, "listSecurityGroups")["securitygroup"]] == ["web"]


def test_names_are_unique_for_an_owner(api, who, group, refused):
    code, said = refused(who.alice, "createSecurityGroup", name="web")

    assert (code, said) == (431, "name: a security group web already exists for account alice")
    assert api(who.bob, "createSecurityGroup", name="web")["securitygroup"]["account"] == "bob"
    other = api(who.alice, "createSecurityGroup", name="db")["securitygroup"]
    assert refused(who.alice, "updateSecurityGroup", id=other["id"], name="web")[0] == 431
    assert api(who.alice, "updateSecurityGroup", id=other["id"], name="sql")["securitygroup"]["name"] == "sql"


def test_every_account_begins_with_a_default_group_that_stays(api, who, refused):
    person = {"username": "carol", "password": "p", "email": "c@example.com", "firstname": "c", "lastname": "c"}
    api(who.root, "createAccount", accounttype=0, roleid=who.alice.role.uuid, **person)
    carol = caller_for(Account.all_tenants.get(name="carol"))

    (default,) = api(carol, "listSecurityGroups")["securitygroup"]

    assert (default["name"], default["description"]) == ("default", "Default Security Group")
    assert refused(carol, "deleteSecurityGroup", id=default["id"])[0] == 431
    assert refused(carol, "updateSecurityGroup", id=default["id"], name="x")[0] == 431
    assert SecurityGroup.all_tenants.count() == 1


def test_to_look_at_the_groups_makes_none(api, who):
    assert api(who.alice, "listSecurityGroups") == {}

    assert SecurityGroup.all_tenants.count() == 0


def test_a_rule_for_networks_is_one_for_each(api, who, group):
    given = {"securitygroupid": group["id"], "cidrlist": "10.0.0.0/8,192.168.0.0/16", **WEB}

    row = api(who.alice, "authorizeSecurityGroupIngress", **given)["securitygroup"]

    told = [(r["protocol"], r["startport"], r["endport"], r["cidr"]) for r in row["ingressrule"]]
    assert told == [("tcp", 80, 81, "10.0.0.0/8"), ("tcp", 80, 81, "192.168.0.0/16")]
    assert row["egressrule"] == []


def test_a_rule_for_groups_names_account_and_group(api, who, group):
    api(who.bob, "createSecurityGroup", name="clients")
    named = [{"account": "bob", "group": "clients"}]
    given = {"securitygroupname": "web", "usersecuritygrouplist": named, **WEB}

    rule = rule_of(api(who.alice, "authorizeSecurityGroupEgress", **given), "egress")

    assert (rule["account"], rule["securitygroupname"], "cidr" in rule) == ("bob", "clients", False)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ("tcp", 80, 81)),
        ({"protocol": None}, ("tcp", 80, 81)),
        ({"protocol": "UDP", "endport": None}, ("udp", 80, 80)),
        ({"protocol": "6"}, ("tcp", 80, 81)),
        ({"protocol": "47", "startport": None, "endport": None}, ("47", None, None)),
        ({"protocol": "all", "startport": None, "endport": None}, ("all", None, None)),
        ({"protocol": "icmp", "startport": None, "endport": None}, ("icmp", None, None)),
    ],
)
def test_protocols_are_named_or_numbered(api, who, group, given, told):
    params = {"securitygroupid": group["id"], "cidrlist": "0.0.0.0/0", **WEB, **given}

    rule = rule_of(api(who.alice, "authorizeSecurityGroupIngress", **params))

    assert (rule["protocol"], rule.get("startport"), rule.get("endport")) == told


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"protocol": "300"}, "protocol: 300 is no number of a protocol"),
        ({"protocol": "gre"}, "protocol: gre is none of"),
        ({"startport": None, "endport": None}, "startport: tcp needs ports"),
        ({"cidrlist": None}, "cidrlist or usersecuritygrouplist must say whom the rule is for"),
        ({"cidrlist": "10.0.0.1/8"}, "is no network"),
        ({"protocol": "all"}, "startport: all has no ports"),
        ({"icmptype": 8}, "icmptype: tcp has none"),
        ({"usersecuritygrouplist": [{"account": "bob", "group": "none"}]}, "account bob has no security group none"),
        ({"usersecuritygrouplist": [{"account": "zed", "group": "x"}]}, "there is no account zed"),
        ({"usersecuritygrouplist": [{"account": "bob"}]}, "each entry needs account and group"),
    ],
)
def test_what_is_no_rule_is_refused(who, group, refused, given, text):
    params = {"securitygroupid": group["id"], "cidrlist": "0.0.0.0/0", **WEB, **given}

    code, said = refused(who.alice, "authorizeSecurityGroupIngress", **params)

    assert (code, text in said) == (431, True), said


def test_the_same_rule_is_not_made_twice_and_none_of_a_call_that_repeats_one(api, who, group, refused):
    given = {"securitygroupid": group["id"], **WEB}
    api(who.alice, "authorizeSecurityGroupIngress", cidrlist="10.0.0.0/8", **given)

    assert refused(who.alice, "authorizeSecurityGroupIngress", cidrlist="11.0.0.0/8,10.0.0.0/8", **given)[0] == 431

    api(who.alice, "authorizeSecurityGroupEgress", cidrlist="10.0.0.0/8", **given)
    assert SecurityGroupRule.all_tenants.count() == 2


def test_a_rule_is_revoked_by_its_own_command(api, who, group, refused):
    given = {"securitygroupid": group["id"], "cidrlist": "10.0.0.0/8", **WEB}
    rule = rule_of(api(who.alice, "authorizeSecurityGroupIngress", **given))["ruleid"]

    assert refused(who.alice, "revokeSecurityGroupEgress", id=rule)[0] == 431
    assert refused(who.bob, "revokeSecurityGroupIngress", id=rule)[0] == 531
    assert refused(who.alice, "revokeSecurityGroupIngress", id=unknown())[0] == 431
    assert api(who.alice, "revokeSecurityGroupIngress", id=rule) == {"success": True}
    assert SecurityGroupRule.all_tenants.count() == 0


def test_foreign_groups_are_out_of_reach(make, who, group, refused):
    boss = make.caller("boss", make.domain("far", make.domain()), kind=Kind.DOMAIN_ADMIN)
    for caller in (who.bob, boss):
        for command in ("deleteSecurityGroup", "updateSecurityGroup"):
            assert refused(caller, command, id=group["id"])[0] == 531
        given = {"securitygroupid": group["id"], "cidrlist": "10.0.0.0/8", **WEB}
        assert refused(caller, "authorizeSecurityGroupIngress", **given)[0] == 531


def test_a_group_is_named_by_id_or_by_name(api, who, group, refused):
    assert refused(who.alice, "deleteSecurityGroup")[0] == 431
    assert refused(who.alice, "deleteSecurityGroup", id=group["id"], name="web")[0] == 431
    assert refused(who.alice, "deleteSecurityGroup", name="none")[0] == 431
    assert api(who.alice, "deleteSecurityGroup", name="web") == {"success": True}
    assert SecurityGroup.all_tenants.count() == 0


def test_a_group_with_instances_stays(api, make, who, group, refused):
    vm = make.vm(who.owner)
    groups.join(vm, [SecurityGroup.all_tenants.get()])

    assert refused(who.alice, "deleteSecurityGroup", id=group["id"]) == (
        536,
        "id: instances are in security group web",
    )
    shown = api(who.alice, "listSecurityGroups", id=group["id"])["securitygroup"][0]
    assert (shown["virtualmachineids"], shown["virtualmachinecount"]) == ([str(vm.uuid)], 1)
    assert api(who.alice, "listSecurityGroups", virtualmachineid=vm.uuid)["count"] == 1
    centre.put(vm, "Expunging")
    groups.machine_leaves(vm, [])
    assert api(who.alice, "deleteSecurityGroup", id=group["id"]) == {"success": True}


def test_a_group_that_rules_of_others_name_stays(api, who, group, refused):
    api(who.bob, "createSecurityGroup", name="back")
    named = [{"account": "alice", "group": "web"}]
    api(who.bob, "authorizeSecurityGroupIngress", securitygroupname="back", usersecuritygrouplist=named, **WEB)

    assert refused(who.alice, "deleteSecurityGroup", id=group["id"])[0] == 536


def test_its_rules_go_with_a_group_also_those_that_name_itself(api, who, group):
    named = [{"account": "alice", "group": "web"}]
    api(who.alice, "authorizeSecurityGroupIngress", securitygroupid=group["id"], usersecuritygrouplist=named, **WEB)

    api(who.alice, "deleteSecurityGroup", id=group["id"])

    assert SecurityGroupRule.all_tenants.count() == 0


# what a new instance is in


@pytest.fixture
def place(make, cloud, who):
    found = centre.centre(make, basic=True)
    chosen = centre.offering(("SecurityGroup",), "SecurityGroupProvider", guest_ip_type="Shared")
    network = centre.shared(found, who.root.account, offering=chosen, vlan="")
    return SimpleNamespace(zone=found.zone, network=network, centre=found)


def chosen(who, place, given=(), names=(), network=None):
    return groups.chosen(who.owner, place.zone, [network or place.network], given, names)


def test_an_instance_is_in_the_default_group_or_in_those_that_are_named(who, place):
    web, sql = (groups.create(owner=who.owner, name=name) for name in ("web", "sql"))

    assert [g.name for g in chosen(who, place)] == ["default"]
    assert chosen(who, place, given=[web, sql]) == [web, sql]
    assert [g.name for g in chosen(who, place, names=["sql", "default", "sql"])] == ["sql", "default"]
    assert SecurityGroup.all_tenants.filter(name="default").count() == 1


def test_where_networks_have_no_groups_none_are_taken_or_given(who, place):
    plain = centre.shared(place.centre, who.root.account, vlan="", subnet="10.9.0")
    web = groups.create(owner=who.owner, name="web")

    assert chosen(who, place, network=plain) == []
    with pytest.raises(CloudError, match="has security groups") as error:
        chosen(who, place, given=[web], network=plain)
    assert error.value.code == 431


@pytest.mark.parametrize(
    ("by_id", "names", "code"), [(True, (), 531), (False, ("web",), 431), (True, ("default",), 431)]
)
def test_groups_of_others_unknown_ones_and_both_parameters_are_refused(who, place, by_id, names, code):
    foreign = groups.create(owner=who.bob.account, name="web")

    with pytest.raises(CloudError) as error:
        chosen(who, place, [foreign] if by_id else [], names)

    assert (error.value.code, SecurityGroup.all_tenants.count()) == (code, 1)


def test_joining_counts_the_generation_of_the_group_and_repeating_it_changes_nothing_else(make, who):
    vm, web = make.vm(who.owner), groups.create(owner=who.owner, name="web")

    for _ in range(2):
        groups.join(vm, [web])

    web.refresh_from_db()
    assert (web.generation, Member.objects.count()) == (3, 1)
    assert groups.groups_of([vm.pk, 0]) == {
        vm.pk: [{"id": str(web.uuid), "name": "web", "description": "", "account": "alice"}],
        0: [],
    }


def test_nobody_joins_a_group_that_was_deleted(make, who):
    vm, web = make.vm(who.owner), groups.create(owner=who.owner, name="web")
    groups.delete(group=web)

    with pytest.raises(CloudError, match="security group web is being deleted") as error:
        groups.join(vm, [web])

    assert (error.value.code, Member.objects.count()) == (536, 0)


@pytest.mark.django_db(transaction=True)
def test_sixteen_machines_at_once_make_one_default_group(who, place):
    found = []

    in_threads(lambda n: found.append(chosen(who, place)[0].pk))

    assert len(set(found)) == SecurityGroup.all_tenants.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_a_deletion_and_joins_at_the_same_moment_no_member_is_left_in_a_deleted_group(make, who):
    vms = [make.vm(who.owner) for _ in range(15)]
    web, codes = groups.create(owner=who.owner, name="web"), set()

    def work(number):
        try:
            groups.delete(group=web) if number == 15 else groups.join(vms[number], [web])
        except CloudError as error:
            codes.add(error.code)

    in_threads(work)

    assert codes == {536}
    assert Member.objects.exclude(group__removed=None).count() == 0
    assert SecurityGroup.all_tenants.exists() == Member.objects.exists()
