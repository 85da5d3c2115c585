"""What may happen to accounts and domains while they are being deleted, and what is left when a worker dies."""

from types import SimpleNamespace

import pytest

from apps.accounts.flows import teardown
from apps.accounts.models import Account, SshKeyPair, User
from apps.core import dispatch
from apps.core.audit import findings
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.ownership import admit, owned_models
from apps.domains.models import Domain
from apps.hypervisors import fake
from apps.hypervisors.errors import Refused, Unknown
from apps.jobs import engine, worker
from apps.jobs.flows import Wait
from apps.jobs.models import FlowRun, Job
from tests.accounts.test_rights import PERSON
from tests.conftest import answer
from tests.crash import matrix, work_off


@pytest.fixture
def tree(make, db):
    """ROOT / branch / leaf, with a and b in the two."""
    branch = make.domain("branch", make.domain())
    leaf = make.domain("leaf", branch)
    accounts = [make.account("a", branch), make.account("b", leaf)]
    return SimpleNamespace(
        root=make.root(), branch=branch, leaf=leaf, a=accounts[0], b=accounts[1], rows=[branch, leaf]
    )


def begun(jobid, account):
    """The job has run, and its flows until the account was closed."""
    worker.run(Job.objects.get(uuid=jobid).pk)
    while Account.all_tenants.get(pk=account.pk).state == "enabled":
        assert engine.advance(FlowRun.objects.latest("pk").pk)


def said(jobid):
    """What the job answered, or the number of its error."""
    try:
        return answer(jobid)
    except CloudError as error:
        return error.code


def audits():
    return {subject: found for subject, found in findings().items() if found}


def refusal(caller, command, /, **params):
    with pytest.raises(CloudError) as error:
        dispatch.call(caller, command, **params)
    return error.value.code


@pytest.mark.parametrize("command", ["deleteAccount", "deleteDomain"])
def test_an_account_that_is_being_deleted_is_not_opened_again(make, tree, cloud, command):
    make.volume(tree.a)
    params = {"id": tree.a.uuid} if command == "deleteAccount" else {"id": tree.branch.uuid, "cleanup": True}
    begun(dispatch.call(tree.root, command, **params)["jobid"], tree.a)

    assert refusal(tree.root, "enableAccount", id=tree.a.uuid) == 536

    assert Account.all_tenants.get(pk=tree.a.pk).state == "disabled"
    work_off()
    assert Account.including_removed.get(pk=tree.a.pk).removed
    assert audits() == {}


def test_a_domain_that_is_being_deleted_takes_nothing_and_stays_where_it_is(make, tree, cloud):
    other = make.domain("other", make.domain())
    begun(dispatch.call(tree.root, "deleteDomain", id=tree.branch.uuid, cleanup=True)["jobid"], tree.a)

    for row in (tree.branch, tree.leaf):
        assert refusal(tree.root, "createAccount", domainid=row.uuid, roleid=tree.a.role.uuid, **PERSON) == 431
        assert refusal(tree.root, "createDomain", parentdomainid=row.uuid, name="twig") == 431
        assert refusal(tree.root, "moveDomain", domainid=row.uuid, parentdomainid=other.uuid) == 431
        assert refusal(tree.root, "moveDomain", domainid=other.uuid, parentdomainid=row.uuid) == 431

    assert set(Domain.all_tenants.values_list("name", flat=True)) == {"ROOT", "branch", "leaf", "other"}
    assert Account.all_tenants.filter(name="eve").count() == 0
    work_off()
    assert set(Domain.all_tenants.values_list("name", flat=True)) == {"ROOT", "other"}
    assert audits() == {}


def test_a_domain_and_one_below_it_are_deleted_at_once(make, tree, cloud):
    jobs = [
        dispatch.call(tree.root, "deleteDomain", id=row.uuid, cleanup=True)["jobid"]
        for row in (tree.branch, tree.leaf, tree.branch)
    ]

    work_off()

    assert (said(jobs[0]), said(jobs[2])) == ({"success": True}, 431)
    assert said(jobs[1]) in ({"success": True}, 431)
    assert set(Domain.all_tenants.values_list("name", flat=True)) == {"ROOT"}
    assert audits() == {}


def test_key_pairs_go_in_batches_that_end_within_a_lease(make, tree, cloud, monkeypatch):
    monkeypatch.setattr(teardown, "BATCH", 2)
    for n in range(5):
        admit(SshKeyPair, tree.a, name=f"k{n}", public_key="", fingerprint=f"{n}")
    flow, taken = teardown.Teardown(tree.a.pk), []
    for _ in range(2):
        with pytest.raises(Wait):
            teardown.remove_key_pairs(flow)
        taken.append(SshKeyPair.all_tenants.count())

    job = dispatch.call(tree.root, "deleteAccount", id=tree.a.uuid)["jobid"]
    work_off()

    assert (taken, said(job), SshKeyPair.all_tenants.count()) == ([3, 1], {"success": True}, 0)


FAULTS = {
    "well": (),
    "with a timeout": (
        ("power.stop", Unknown("?"), {"when": "after"}),
        ("disks.delete", Unknown("?"), {"when": "after"}),
    ),
    "with a refusal": (("disks.delete", Refused("in use"), {"times": 1}),),
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_a_domain_whose_deletion_is_killed_is_gone_or_usable_and_can_be_deleted_again(db, make, monkeypatch, faults):
    def scene():
        cloud = fake.Cloud()
        monkeypatch.setattr(fake, "CLOUD", cloud)
        for call, error, how in faults:
            cloud.fail(call, error, **how)
        root, host, branch = make.root(), make.host(), make.domain("branch", make.domain())
        leaf = make.domain("leaf", branch)
        a, b = make.account("a", branch), make.account("b", leaf, Kind.DOMAIN_ADMIN, Account.Type.DOMAIN_ADMIN)
        vm, disk = make.vm(a, state="Running", host=host), make.volume(b, state="Ready")
        cloud.running[str(vm.uuid)].add("h1")
        cloud.disks[str(disk.uuid)] = 1
        job = dispatch.call(root, "deleteDomain", id=branch.uuid, cleanup=True)["jobid"]
        return SimpleNamespace(root=root, branch=branch, job=job, cloud=cloud)

    def check(world, lost):
        for _ in range(2):
            if (code := said(world.job)) != {"success": True}:
                assert lost or code in (431, 534)
                assert set(Domain.all_tenants.values_list("state", flat=True)) == {"Active"}
                world.job = dispatch.call(world.root, "deleteDomain", id=world.branch.uuid, cleanup=True)["jobid"]
                work_off()
        assert answer(world.job) == {"success": True}
        assert list(Domain.all_tenants.values_list("name", "state")) == [("ROOT", "Active")]
        assert set(Account.all_tenants.values_list("name", flat=True)) == {"admin"}
        assert User.all_tenants.count() == 1
        assert all(not model.all_tenants.exists() for model in owned_models())
        assert world.cloud.disks == {}

    assert matrix(scene, check, every=11) >= 40
