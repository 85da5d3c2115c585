"""What lists do whatever they list; the scope table is in test_scope.py."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.tenants import caller_for
from apps.compute.commands.responses import InstanceResponse
from apps.core import lists
from apps.core.commands import REGISTRY
from apps.core.errors import CloudError
from apps.core.responses import View, encode, projection
from apps.storage.models import Volume
from apps.tags import services as tags
from tests.conftest import unknown


@pytest.fixture
def caller(make, db):
    return make.caller()


def test_an_empty_list_is_empty_and_a_page_beyond_the_end_has_a_count(api, make, caller):
    assert api(caller, "listVolumes") == {}
    for _ in range(2):
        make.volume(caller.account)
    assert api(caller, "listVolumes", page=5, pagesize=2) == {"count": 2}
    assert encode("listvolumesresponse", {}) == b'{"listvolumesresponse":{}}'


def test_rows_that_are_removed_or_foreign_find_nothing_and_unknown_ones_are_431(api, make, caller):
    gone, foreign = make.volume(caller.account), make.volume(make.account("bob"))
    gone.mark_removed()
    for row in (gone, foreign):
        assert api(caller, "listVolumes", id=row.uuid) == {}
    with pytest.raises(CloudError) as error:
        api(caller, "listVolumes", id=unknown())
    assert (error.value.code, Volume.all_tenants.count()) == (431, 1)


def test_names_match_whole_without_case_and_trailing_blanks(api, make, caller):
    make.volume(caller.account, name="Data")
    make.volume(caller.account, name="Data2")

    for given, found in (("data", 1), ("DATA  ", 1), (" data", 0), ("dat", 0)):
        assert api(caller, "listVolumes", name=given).get("count", 0) == found


def test_all_tags_must_match_and_one_without_a_value_is_refused(api, make, caller):
    one, two = make.volume(caller.account), make.volume(caller.account)
    for row, key, value in ((one, "a", "1"), (two, "a", "1"), (two, "b", "2")):
        tags.create(word="Volume", rows=[row], tags={key: value})

    both = api(caller, "listVolumes", tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])

    assert [row["id"] for row in both["volume"]] == [str(two.uuid)]
    with pytest.raises(CloudError, match="^No value is passed in for key a$"):
        api(caller, "listVolumes", tags=[{"key": "a"}])


def test_details_prune_the_query_too_and_unknown_ones_are_refused(api, make, caller):
    make.vm(caller.account)

    whole, pruned = (api(caller, "listVirtualMachines", details=d)["virtualmachine"][0] for d in ("all", "min,tmpl"))

    assert {"serviceofferingid", "serviceofferingname"} <= whole.keys() - pruned.keys()
    least = projection(InstanceResponse, View.RESTRICTED, frozenset())
    assert not any(source.startswith(("offering", "template")) for source in least.sources)
    with pytest.raises(CloudError, match="non permitted value"):
        api(caller, "listVirtualMachines", details="bogus")


def test_a_dear_count_is_kept_for_some_seconds_per_query(api, make, caller, monkeypatch):
    cache.clear()
    monkeypatch.setattr(lists, "DEAR_COUNT", 2)
    for _ in range(4):
        make.volume(caller.account)
    assert api(caller, "listVolumes", page=1, pagesize=3)["count"] == 4
    make.volume(caller.account)

    with CaptureQueriesContext(connection) as queries:
        kept = api(caller, "listVolumes", page=1, pagesize=3)["count"]

    assert (kept, [q for q in queries if "COUNT(" in q["sql"]]) == (4, [])
    bob = make.caller("bob")
    assert api(bob, "listVolumes") == {}
    cache.clear()
    assert api(caller, "listVolumes", page=1, pagesize=3)["count"] == 5


def test_a_pending_job_shows_on_the_row_that_it_is_about(api, make, caller):
    from apps.jobs.models import Job

    vm = make.vm(caller.account)
    about = {"row_kind": "machines.virtualmachine", "row_id": vm.pk}
    job = Job.objects.create(account=caller.account, command="startVirtualMachine", params={}, **about)

    row = api(caller, "listVirtualMachines")["virtualmachine"][0]
    assert (row["jobid"], row["jobstatus"]) == (str(job.uuid), 0)
    Job.objects.update(status=Job.Status.SUCCEEDED)
    assert "jobid" not in api(caller, "listVirtualMachines")["virtualmachine"][0]


def test_some_lists_tell_only_how_many_rows_there_are(api, make, caller):
    cache.clear()
    assert api(caller, "listVolumes", retrieveonlyresourcecount=True) == {}
    for _ in range(3):
        make.volume(caller.account)
    make.volume(make.account("bob"))

    assert api(caller, "listVolumes", retrieveonlyresourcecount=True) == {"count": 3}
    assert api(caller, "listVolumes", retrieveonlyresourcecount=True, page=2, pagesize=2) == {"count": 3}
    assert len(api(caller, "listVolumes", retrieveonlyresourcecount=False)["volume"]) == 3
    assert "retrieveonlyresourcecount" not in REGISTRY["listZones"].fields


def test_filters_that_exclude_each_other_count_nothing(caller):
    assert lists.counted(Volume.all_tenants.filter(pk__in=[])) == 0


def test_many_ids_are_found_by_as_many_queries_as_two(api, make):
    alice = make.account()
    ids = [make.volume(alice).uuid for _ in range(15)]
    api(caller_for(alice), "listVolumes", ids=ids[:2])  # settings are read once

    with CaptureQueriesContext(connection) as two:
        api(caller_for(alice), "listVolumes", ids=ids[:2])
    with CaptureQueriesContext(connection) as many:
        got = api(caller_for(alice), "listVolumes", ids=[*ids, ids[0]])

    assert (len(many), got["count"]) == (len(two), 15)


@pytest.mark.parametrize("wrong", ["7", "4a1f2e0c-7e7e-4a57-9a31-0f6a1d6d3a11"])
def test_the_first_of_many_ids_that_is_none_is_named(api, make, wrong):
    alice = make.account()

    with pytest.raises(CloudError, match=wrong) as error:
        api(caller_for(alice), "listVolumes", ids=[make.volume(alice).uuid, wrong, "8"])

    assert error.value.code == 431


@pytest.mark.parametrize("level", [-2, 70_000, 2_147_483_647])
def test_no_domain_lies_at_a_level_that_is_none(api, make, level):
    assert api(make.root(), "listDomains", level=level) == {}
