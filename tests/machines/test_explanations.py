"""What is said: to administrators with every figure, to tenants nothing of hosts and pools."""

import re

import pytest

from apps.core.errors import GENERIC, InsufficientCapacity, text_for
from apps.infrastructure.models import Host
from apps.jobs.current import current
from apps.jobs.models import Job
from apps.machines.services import placement
from apps.machines.services.placement import explanations
from tests.machines.conftest import GIB, books

NO_CAPACITY = "zone z1 has not enough capacity for an instance of this size now"
NO_STORAGE = "zone z1 has not enough storage for the disks of the instance now"
IN_GROUP = "the affinity groups of the instance leave no place for it in zone z1 now"


@pytest.fixture
def job(park):
    """What places are looked for runs for a job."""
    job = Job.objects.create(account=park.owner, command="x", params={})
    token = current.set(job)
    yield job
    current.reset(token)


def told(vm, **given):
    """The text for administrators and that for tenants; nothing was taken."""
    before = books()
    with pytest.raises(InsufficientCapacity) as refusal:
        placement.reserve(vm, **given)
    assert books() == before
    return text_for(refusal.value, is_root=True), text_for(refusal.value, is_root=False)


def test_every_host_is_counted_once_by_the_first_filter_that_drops_it(park, job):
    park.host("down", status="Down", tags=("ssd",))
    park.host("down and full", status="Down", guests=50)
    park.host("plain")
    park.host("small", tags=("ssd",), memory_mib_capacity=512)
    park.host("other", hypervisor="KVM")
    vm = park.machine(disks=(), offering={"host_tags": "ssd"})

    by_root, by_tenant = told(vm)

    assert by_root == (
        f"no host of zone z1 can take instance {vm.uuid}: of 5 hosts 1 not Fake, 2 not Up, 1 without host tags ssd, "
        "1 with less than 1024 MiB left"
    )
    assert by_tenant == NO_CAPACITY
    job.refresh_from_db()
    assert job.explanation == {
        "instance": str(vm.uuid),
        "hosts": 5,
        "dropped": [
            {"filter": "hypervisor", "reason": "not Fake", "dropped": 1},
            {"filter": "status", "reason": "not Up", "dropped": 2},
            {"filter": "tags", "reason": "without host tags ssd", "dropped": 1},
            {"filter": "memory", "reason": "with less than 1024 MiB left", "dropped": 1},
        ],
        "text": by_root,
    }


def test_a_zone_without_hosts_says_so(park):
    vm = park.machine(disks=())

    assert told(vm) == (f"no host of zone z1 can take instance {vm.uuid}: it has none", GENERIC[533])


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"cpu_mhz_used": 8000}, NO_CAPACITY),
        ({"memory_mib_used": 8192}, NO_CAPACITY),
        ({"guests": 50}, NO_CAPACITY),
        ({"cpu_cores": 0}, NO_CAPACITY),
        ({"status": "Down"}, GENERIC[533]),
        ({"hypervisor": "KVM"}, GENERIC[533]),
    ],
)
def test_a_tenant_hears_what_the_last_host_fell_out_for_or_only_that_there_is_none(park, values, text):
    park.host("h1", **values)

    assert told(park.machine(disks=()))[1] == text


def test_the_affinity_groups_of_the_instance_are_the_tenants_own(park):
    host = park.host("h1")

    assert told(park.machine(disks=()), bounds=lambda vm: (None, {host.pk}))[1] == IN_GROUP
    assert told(park.machine(disks=()), bounds=lambda vm: (set(), set()))[1] == IN_GROUP


def test_where_storage_is_short_the_pools_are_counted_too(park, job):
    park.host("h1")
    park.pool("down", state="Maintenance")
    park.pool("full", used_bytes=91 * GIB)
    vm = park.machine()

    by_root, by_tenant = told(vm)

    assert by_root == (
        f"no host of zone z1 can take instance {vm.uuid}: of 1 host 1 out of reach of storage for its new disks; for a "
        "disk of 10 GiB of 2 pools 1 not Up, 1 with less than 10 GiB left"
    )
    assert by_tenant == NO_STORAGE
    job.refresh_from_db()
    assert job.explanation["storage"] == [
        {
            "size": 10 * GIB,
            "pools": 2,
            "dropped": [
                {"filter": "state", "reason": "not Up", "dropped": 1},
                {"filter": "room", "reason": "with less than 10 GiB left", "dropped": 1},
            ],
        }
    ]


def test_no_text_for_tenants_names_infrastructure(park):
    texts = [each.tenant.format(zone_name="z1") for each in explanations.host_filters.chain()]

    assert {text for text in texts if re.search(r"host|pool|cluster|pod\b|tag|MHz|MiB", text)} == set()


def test_why_the_chosen_one_won_is_kept_with_the_job(park, job):
    park.host("empty")
    park.host("half", cpu_mhz_used=4000)
    pool = park.pool("s1")
    vm = park.machine()

    host = placement.reserve(vm)

    job.refresh_from_db()
    half = Host.all_tenants.get(name="half")
    assert job.explanation == {
        "instance": str(vm.uuid),
        "planner": "FirstFitPlanner",
        "host": {"id": str(host.uuid), "name": "empty"},
        "text": "empty: first of 2 that fit where FirstFitPlanner looked first, by firstfit",
        "candidates": [
            {"id": str(host.uuid), "name": "empty", "room": 8000, "weights": {"firstfit": 0.0}},
            {"id": str(half.uuid), "name": "half", "room": 4000, "weights": {"firstfit": 0.0}},
        ],
        "storage": [{"size": 10 * GIB, "pool": {"id": str(pool.uuid), "name": "s1"}}],
    }


def test_the_weights_are_told(park, job):
    park.set("vm.allocation.algorithm", "firstfitleastconsumed")
    park.host("empty")
    park.host("half", cpu_mhz_used=4000)

    placement.reserve(park.machine(disks=()))

    job.refresh_from_db()
    assert {each["name"]: each["weights"] for each in job.explanation["candidates"]} == {
        "empty": {"firstfitleastconsumed": 0.0},
        "half": {"firstfitleastconsumed": -0.5},
    }


def test_a_single_candidate_and_the_last_host_are_told_as_such(park, job):
    only = park.host("only")
    placement.reserve(park.machine(disks=()))
    job.refresh_from_db()
    assert job.explanation["text"] == "only: the only one that fits where FirstFitPlanner looked first"

    placement.reserve(park.machine(disks=(), last_host=only))

    job.refresh_from_db()
    assert job.explanation["text"] == "only: it was there before, and still fits"


def test_counting_is_one_query_however_many_filters_there_are(park, django_assert_num_queries):
    park.host("h1")
    request = park.request(park.machine(disks=()))

    with django_assert_num_queries(2):  # the thresholds of clusters, and the count
        explanations.of_hosts(request)
