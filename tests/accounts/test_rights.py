"""Nobody comes to more rights than the own ones: not by an account, a user, a key, a password or a role."""

import pytest

from apps.accounts.models import Account, User
from apps.accounts.services import users
from apps.accounts.tenants import caller_for
from apps.core import dispatch
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.seeds import sow
from apps.jobs.models import Job
from apps.rbac.models import Role, Rule
from apps.rbac.services import allows

PERSON = {"username": "eve", "password": "secret", "firstname": "E", "lastname": "V", "email": "e@v"}


@pytest.fixture
def root(db):
    sow()
    return caller_for(Account.all_tenants.select_related("domain", "role").get(name="admin"))


@pytest.fixture
def dora(make, root):
    """A domain administrator of ROOT itself: the accounts of the root administrators are in this domain too."""
    account = make.account("dora", root.account.domain, Kind.DOMAIN_ADMIN, Account.Type.DOMAIN_ADMIN)
    return caller_for(account, account.users.get())


def role(name, kind, *rules):
    (made := Role(name=name, kind=kind)).save()
    Rule.objects.bulk_create(Rule(role=made, order=i, pattern=p, allow=a) for i, (p, a) in enumerate(rules))
    return made


def given(account, role):
    Account.all_tenants.filter(pk=account.pk).update(role=role)
    return caller_for(Account.all_tenants.select_related("domain", "role").get(pk=account.pk), account.users.get())


def tenants():
    """All that is known of accounts and users."""
    return [list(model.including_removed.order_by("pk").values()) for model in (Account, User)] + [Job.objects.count()]


def refused(api, caller, command, /, **params):
    before = tenants()
    with pytest.raises(CloudError) as error:
        api(caller, command, **params)
    assert tenants()[:2] == before[:2]
    return error.value.code


ON_A_USER = (
    ("updateUser", {"password": "mine"}),
    ("updateUser", {"userapikey": "mine", "usersecretkey": "mine"}),
    ("registerUserKeys", {}),
    ("getUserKeys", {}),
    ("deleteUser", {}),
    ("disableUser", {}),
    ("lockUser", {}),
    ("enableUser", {}),
)
ON_AN_ACCOUNT = (
    ("updateAccount", {"newname": "mine"}),
    ("disableAccount", {"lock": True}),
    ("enableAccount", {}),
    ("deleteAccount", {}),
)


@pytest.mark.parametrize(("command", "params"), ON_A_USER)
def test_a_domain_admin_of_root_cannot_act_as_a_root_administrator(api, root, dora, make, command, params):
    chief = make.account("chief", root.account.domain, Kind.ROOT, Account.Type.ROOT)

    assert refused(api, dora, command, id=chief.users.get().uuid, **params) == 531


@pytest.mark.parametrize(("command", "params"), ON_AN_ACCOUNT)
def test_nor_close_or_rename_its_account(api, root, dora, make, command, params):
    chief = make.account("chief", root.account.domain, Kind.ROOT, Account.Type.ROOT)

    assert refused(api, dora, command, id=chief.uuid, **params) == 531


def test_nor_make_a_user_of_its_account(api, root, dora):
    assert refused(api, dora, "createUser", account="admin", **PERSON) == 531


def test_nor_read_its_keys_in_the_job_that_made_them(api, root, dora):
    admin = User.all_tenants.get(account=root.account)
    api(root, "registerUserKeys", id=admin.uuid)
    named = {"resourceid": admin.uuid, "resourcetype": "User"}

    assert dispatch.call(dora, "queryAsyncJobResult", **named)["jobresult"] == {"success": True}
    told = dispatch.call(root, "queryAsyncJobResult", **named)["jobresult"]["userkeys"]
    assert (told["apikey"], told["secretkey"]) == users.keys_of(caller=root, user=User.all_tenants.get(pk=admin.pk))


def test_an_admin_who_may_only_read_does_not_read_the_keys_of_one_who_may_all(api, root, make):
    reader = given(make.account("reader"), Role.all_tenants.get(name="Read-Only Admin - Default"))
    admin = User.all_tenants.get(account=root.account)
    users.register_keys(user=admin)

    assert refused(api, reader, "getUserKeys", id=admin.uuid) == 531


def test_nor_delete_a_domain_with_its_account_in_it(api, root, dora, make):
    branch = make.domain("branch", root.account.domain)
    make.account("alice", branch)
    chief = make.account("chief", branch, Kind.ROOT, Account.Type.ROOT)

    assert refused(api, dora, "deleteDomain", id=branch.uuid, cleanup=True) == 531

    given(chief, Role.all_tenants.get(name="User"))
    assert api(dora, "deleteDomain", id=branch.uuid, cleanup=True) == {"success": True}


def test_a_role_that_may_more_is_not_given_away_with_a_new_account_or_to_the_own(api, root, dora, make):
    mighty = role("mighty", Kind.DOMAIN_ADMIN, ("*", True))
    weak = given(make.account("weak"), role("weak", Kind.DOMAIN_ADMIN, ("deleteAccount", False)))

    assert refused(api, dora, "createAccount", roleid=mighty.uuid, **PERSON) == 531
    assert refused(api, dora, "updateAccount", id=dora.account.uuid, roleid=mighty.uuid) == 531
    assert refused(api, weak, "createAccount", accounttype=2, **PERSON) == 531
    assert api(weak, "createAccount", accounttype=0, **PERSON)["account"]["rolename"] == "User"


def test_an_account_with_a_stronger_role_is_out_of_reach_of_a_weaker_admin_beside_it(api, root, dora, make):
    weak = given(make.account("weak"), role("weak", Kind.DOMAIN_ADMIN, ("deleteAccount", False)))
    disabled = role("sleeping", Kind.DOMAIN_ADMIN, ("*", True))
    asleep = given(make.account("asleep"), disabled)
    Role.all_tenants.filter(pk=disabled.pk).update(enabled=False)

    assert refused(api, weak, "updateUser", id=dora.user.uuid, password="mine") == 531
    assert refused(api, dora, "updateUser", id=asleep.user.uuid, password="mine") == 531
    assert api(dora, "updateUser", id=weak.user.uuid, password="hers")["user"]["username"] == "weak"


def test_an_admin_gives_no_role_rules_that_it_has_not_itself(api, root, make):
    rules = (("*RolePermission", True), ("list*", True), ("*", False))
    own, others = role("clerk", Kind.ROOT, *rules), role("friends", Kind.TENANT, ("list*", True), ("*", False))
    clerk = given(make.account("clerk"), own)
    denied, first, last = (own.rules.get(pattern="*"), *others.rules.order_by("order"))

    assert refused(api, clerk, "updateRolePermission", roleid=own.uuid, ruleid=denied.uuid, permission="allow") == 531
    assert refused(api, clerk, "deleteRolePermission", id=denied.uuid) == 531
    assert refused(api, clerk, "deleteRolePermission", id=last.uuid) == 531
    api(clerk, "updateRolePermission", roleid=others.uuid, ruleorder=[last.uuid, first.uuid])
    api(clerk, "createRolePermission", roleid=others.uuid, rule="deployVirtualMachine", permission="allow")

    assert tuple(own.rules.order_by("order").values_list("pattern", "allow")) == rules
    assert list(others.rules.order_by("order").values_list("pattern", "allow")) == [
        ("*", False),
        ("list*", True),
        ("deployVirtualMachine", True),
    ]


def test_a_rule_of_many_stars_is_decided_at_once(db):
    stars = role("stars", Kind.TENANT, ("*" * 95 + "x", True), ("l**t*s", True), ("*", False))

    assert [allows(stars, name, Kind.TENANT) for name in ("listVolumes", "listZonesx", "deployVirtualMachine")] == [
        True,
        True,
        False,
    ]
