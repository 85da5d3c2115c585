import pytest
from django.db import connection

from apps.accounts.models import Account, Session, User
from apps.accounts.services import sign_on
from apps.accounts.tenants import caller_for
from apps.core import dispatch
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.models import Detail
from apps.core.seeds import sow
from apps.domains.models import Domain
from apps.jobs.models import Job
from apps.rbac.models import Role
from tests.conftest import unknown

PERSON = {"username": "eve", "password": "secret", "firstname": "E", "lastname": "V", "email": "e@v"}


@pytest.fixture
def root(db):
    sow()
    return caller_for(Account.all_tenants.select_related("domain", "role").get(name="admin"))


@pytest.fixture
def dora(make, root):
    """Administrator of /a."""
    return make.caller("dora", make.domain("a", root.account.domain), Kind.DOMAIN_ADMIN, Account.Type.DOMAIN_ADMIN)


def refused(api, caller, command, /, **params):
    before = {model: model._base_manager.count() for model in (Account, User, Domain, Job, Session)}
    with pytest.raises(CloudError) as error:
        api(caller, command, **params)
    assert {model: model._base_manager.count() for model in before} == before
    return error.value.code


def test_an_account_is_made_with_its_first_user_who_can_log_in(api, root):
    answer = api(root, "createAccount", accounttype=0, accountdetails={"Color": "red"}, **PERSON)["account"]

    assert {n: answer[n] for n in ("name", "accounttype", "rolename", "roletype", "state", "domainpath")} == {
        "name": "eve",
        "accounttype": 0,
        "rolename": "User",
        "roletype": "User",
        "state": "enabled",
        "domainpath": "ROOT",
    }
    assert answer["accountdetails"] == {"Color": "red"}
    assert [user["username"] for user in answer["user"]] == ["eve"]
    assert (answer["vmlimit"], answer["vmtotal"], answer["vmavailable"]) == ("20", 0, "20")
    assert answer["primarystoragelimit"] == "200"
    assert sign_on.authenticate("eve", "secret").account.name == "eve"
    assert "secret" not in str(answer)


def test_details_whose_names_are_the_same_are_refused_or_two(api, root, make):
    alice = make.account()

    try:
        api(root, "updateAccount", id=alice.uuid, accountdetails={"Color": "red", "color ": "green"})
    except CloudError as error:
        said = error.code
    else:
        said = Detail.objects.filter(row_id=alice.pk).count()

    assert said == (431 if connection.vendor == "mysql" else 2)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, 431),  # neither role nor type
        ({"accounttype": 7}, 431),
        ({"accounttype": 0, "username": "admin"}, 431),
        ({"accounttype": 0, "account": "admin"}, 431),
        ({"accounttype": 0, "account": "x" * 101}, 431),
        ({"accounttype": 0, "domainid": unknown()}, 431),
        ({"accounttype": 0, "accountid": "17"}, 431),
    ],
)
def test_what_is_no_account_is_refused_whole(api, root, params, code):
    assert refused(api, root, "createAccount", **(PERSON | params)) == code


def test_a_domain_admin_gives_no_more_than_it_has_and_only_below(api, root, dora, make):
    roles = {role.name: role.uuid for role in Role.all_tenants.all()}

    for role in ("Root Admin", "Resource Admin", "Read-Only Admin - Default"):
        assert refused(api, dora, "createAccount", roleid=roles[role], **PERSON) == 531
    assert refused(api, dora, "createAccount", accounttype=1, **PERSON) == 531
    far = root.account.domain.uuid
    assert refused(api, dora, "createAccount", accounttype=0, domainid=far, **PERSON) == 531
    answer = api(dora, "createAccount", roleid=roles["Domain Admin"], **PERSON)["account"]
    assert (answer["domainpath"], answer["roletype"]) == ("ROOT/a", "DomainAdmin")


def test_users_see_their_own_account_and_admins_their_tree(api, root, dora, make):
    alice = make.caller("alice", dora.account.domain)
    make.account("zoe", root.account.domain)

    def names(caller, **params):
        return sorted(row["name"] for row in api(caller, "listAccounts", **params).get("account", []))

    assert (names(alice), names(alice, listall=True)) == (["alice"], ["alice"])
    assert (names(dora), names(dora, listall=True)) == (["dora"], ["alice", "dora"])
    assert (names(root), names(root, listall=True)) == (["admin"], ["admin", "alice", "dora", "zoe"])
    assert (names(root, name="zoe"), names(dora, name="zoe")) == (["zoe"], [])
    assert names(root, listall=True, details="min") == ["admin", "alice", "dora", "zoe"]
    assert "vmlimit" not in api(root, "listAccounts", details="min")["account"][0]


@pytest.mark.parametrize(("command", "state"), [("disableAccount", "disabled"), ("lockAccount", "locked")])
def test_an_account_that_is_closed_is_opened_again(api, root, make, command, state):
    alice = make.account()
    which = {"account": "alice", "domainid": alice.domain.uuid}

    answer = api(root, command, **({"lock": "false"} if command == "disableAccount" else {}), **which)["account"]
    assert answer["state"] == state
    assert api(root, "enableAccount", id=alice.uuid)["account"]["state"] == "enabled"


def test_nobody_disables_or_deletes_itself_or_the_installation(api, root, make):
    other = make.caller("second", root.account.domain, Kind.ROOT, Account.Type.ROOT)

    for caller, target in ((root, root.account), (other, root.account)):
        for name, more in (("deleteAccount", {}), ("disableAccount", {"lock": False})):
            with pytest.raises(CloudError) as error:
                api(caller, name, id=target.uuid, **more)
            assert error.value.code == 431
    assert Account.all_tenants.get(name="admin").state == "enabled"


def test_a_disabled_owner_gets_nothing_new(api, root, make):
    alice = make.account()
    api(root, "disableAccount", id=alice.uuid, lock=False)
    caller = caller_for(Account.all_tenants.select_related("domain", "role").get(pk=alice.pk))

    assert refused(api, caller, "createSSHKeyPair", name="k") == 431


def test_users_of_an_account(api, root, make):
    make.account("shop")
    user = api(root, "createUser", account="shop", **PERSON)["user"]
    assert refused(api, root, "createUser", account="shop", **PERSON) == 431
    assert refused(api, root, "createUser", account="nobody", **PERSON) == 431

    changed = api(root, "updateUser", id=user["id"], email="new@v", username="eva")["user"]
    assert (changed["email"], changed["username"]) == ("new@v", "eva")
    assert api(root, "disableUser", id=user["id"])["user"]["state"] == "disabled"
    assert api(root, "enableUser", id=user["id"])["user"]["state"] == "enabled"
    assert api(root, "lockUser", id=user["id"])["user"]["state"] == "locked"
    assert api(root, "deleteUser", id=user["id"]) == {"success": True}
    assert api(root, "createUser", account="shop", **PERSON)["user"]["username"] == "eve"


def test_the_own_password_needs_the_current_one(api, root, make):
    made = api(root, "createAccount", accounttype=0, **PERSON)["account"]["user"][0]
    user = User.all_tenants.select_related("account__domain", "account__role").get(uuid=made["id"])
    eve = sign_on.caller_of(user, "key")

    assert refused(api, eve, "updateUser", id=made["id"], password="x") == 431  # noqa: S106
    assert refused(api, eve, "updateUser", id=made["id"], password="x", currentpassword="no") == 431  # noqa: S106
    api(eve, "updateUser", id=made["id"], password="x", currentpassword="secret")  # noqa: S106
    assert sign_on.authenticate("eve", "x") == user


def test_keys_are_registered_told_to_their_user_and_void_the_old_ones(api, root, make):
    user = User.all_tenants.get(account=make.account())
    bob = make.caller("bob")
    alice = sign_on.caller_of(
        User.all_tenants.select_related("account__domain", "account__role").get(pk=user.pk), "key"
    )

    first = api(root, "registerUserKeys", id=user.uuid)
    second = dispatch.call(alice, "registerUserKeys", id=user.uuid)
    assert dispatch.call(alice, "getUserKeys", id=user.uuid)["userkeys"] == second["userkeys"]
    job = dispatch.call(alice, "queryAsyncJobResult", jobid=second["jobid"])
    assert (job["jobstatus"], job["jobresult"]["userkeys"]) == (1, second["userkeys"])
    assert second["userkeys"]["secretkey"] not in str(Job.objects.values_list("result", flat=True))
    assert first != second
    assert refused(api, bob, "getUserKeys", id=user.uuid) == 531
    assert api(root, "getUser", userapikey=second["userkeys"]["apikey"])["user"]["id"] == str(user.uuid)


def test_a_domain_lies_no_deeper_than_a_path_has_room_for(api, root, make, monkeypatch):
    from apps.domains import services as tree

    rows = [make.domain()]
    for name in ("a", "b", "c"):
        rows.append(make.domain(name, rows[-1]))
    other = make.domain("other", rows[0])
    made = len(rows[-1].path)
    monkeypatch.setattr(tree, "DEEPEST", made)

    assert refused(api, root, "createDomain", name="d", parentdomainid=rows[-1].uuid) == 431
    assert refused(api, root, "moveDomain", domainid=rows[1].uuid, parentdomainid=other.uuid) == 431
    monkeypatch.setattr(tree, "LONGEST", len("ROOT/a/b/c"))
    assert refused(api, root, "updateDomain", id=rows[1].uuid, name="aa") == 431

    assert Domain.all_tenants.count() == 5
    assert sorted(Domain.all_tenants.values_list("wire_path", flat=True)) == sorted(
        ["ROOT", "ROOT/a", "ROOT/a/b", "ROOT/a/b/c", "ROOT/other"]
    )


def test_a_domain_is_made_renamed_moved_and_listed(api, root, dora, make):
    made = api(dora, "createDomain", name="below")["domain"]
    assert (made["path"], made["level"], made["parentdomainname"], made["haschild"]) == ("ROOT/a/below", 2, "a", False)
    assert refused(api, dora, "createDomain", name="below") == 431
    assert refused(api, dora, "createDomain", name="x/y") == 431
    assert refused(api, dora, "createDomain", name="x", parentdomainid=root.account.domain.uuid) == 531

    a = dora.account.domain.uuid
    assert api(root, "updateDomain", id=a, name="b")["domain"]["path"] == "ROOT/b"
    assert api(root, "listDomains", id=made["id"])["domain"][0]["path"] == "ROOT/b/below"
    moved = api(root, "moveDomain", domainid=made["id"], parentdomainid=root.account.domain.uuid)["domain"]
    assert (moved["path"], moved["level"]) == ("ROOT/below", 1)
    assert refused(api, root, "moveDomain", domainid=root.account.domain.uuid, parentdomainid=made["id"]) == 531

    for parent in (root.account.domain.uuid, made["id"]):  # where it is, and inside itself
        assert refused(api, root, "moveDomain", domainid=made["id"], parentdomainid=parent) == 431

    def paths(caller, name="listDomains", **params):
        return sorted(row["path"] for row in api(caller, name, **params).get("domain", []))

    assert (paths(root), paths(dora, listall=True)) == (["ROOT"], ["ROOT/b"])
    assert paths(root, listall=True) == ["ROOT", "ROOT/b", "ROOT/below"]
    assert paths(root, level=1) == ["ROOT/b", "ROOT/below"]
    assert paths(root, "listDomainChildren") == ["ROOT/b", "ROOT/below"]
    assert paths(root, "listDomainChildren", id=root.account.domain.uuid) == ["ROOT/b", "ROOT/below"]


def test_a_role_of_ones_own_decides_what_its_accounts_may_call(api, root, make):
    role = api(root, "createRole", name="shy", type="User")["role"]
    api(root, "createRolePermission", roleid=role["id"], rule="listVolumes", permission="allow")
    last = api(root, "createRolePermission", roleid=role["id"], rule="*", permission="deny")["rolepermission"]
    api(root, "createAccount", roleid=role["id"], **PERSON)
    eve = caller_for(Account.all_tenants.select_related("domain", "role").get(name="eve"))

    assert api(eve, "listVolumes") == {}
    assert refused(api, eve, "listUsers") == 432
    assert [r["rule"] for r in api(root, "listRolePermissions", roleid=role["id"])["rolepermission"]] == [
        "listVolumes",
        "*",
    ]
    order = [r["id"] for r in api(root, "listRolePermissions", roleid=role["id"])["rolepermission"]][::-1]
    api(root, "updateRolePermission", roleid=role["id"], ruleorder=",".join(order))
    eve = caller_for(Account.all_tenants.select_related("domain", "role").get(name="eve"))
    assert refused(api, eve, "listVolumes") == 432
    api(root, "deleteRolePermission", id=last["id"])
    eve = caller_for(Account.all_tenants.select_related("domain", "role").get(name="eve"))
    assert "user" in api(eve, "listUsers")
    assert refused(api, root, "deleteRole", id=role["id"]) == 431
    default = Role.all_tenants.get(name="User").uuid
    assert refused(api, root, "createRolePermission", roleid=default, rule="*", permission="deny") == 531


@pytest.mark.parametrize(
    ("command", "params"),
    [
        ("createAccount", {**PERSON, "accounttype": 0, "username": " "}),
        ("createAccount", {**PERSON, "accounttype": 0, "account": "\n"}),
        ("createAccount", {**PERSON, "accounttype": 0, "accountdetails": {"k" * 256: "v"}}),
        ("createUser", {**PERSON, "account": "admin", "username": " "}),
        ("updateUser", {"username": ""}),
        ("updateUser", {"userapikey": "", "usersecretkey": ""}),
        ("updateUser", {"userapikey": "key", "usersecretkey": ""}),
        ("updateUser", {"userapikey": "key"}),
        ("updateAccount", {"newname": " "}),
    ],
)
def test_nobody_is_called_nothing_and_no_key_is_empty(api, root, make, command, params):
    rows = {"updateUser": make.account().users.get(), "updateAccount": make.account("bob")}
    named = {"id": rows[command].uuid} if command in rows else {}
    before = [list(model.all_tenants.order_by("pk").values()) for model in (Account, User)]

    assert refused(api, root, command, **params, **named) == 431

    assert [list(model.all_tenants.order_by("pk").values()) for model in (Account, User)] == before
