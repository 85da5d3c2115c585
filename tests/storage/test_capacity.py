import pytest

from apps.images.models import ImageStore
from tests.storage.conftest import Place, saved

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(make):
    make.domain()
    return make.root()


def listed(api, root, **by):
    rows = api(root, "listCapacity", **by).get("capacity", [])
    key = next((name for name in ("clusterid", "podid", "zoneid") if name in by), "zoneid")
    wanted = (2, 3, 6, 9)
    return {
        (row[key], row["type"]): (row["capacityused"], row["capacitytotal"]) for row in rows if row["type"] in wanted
    }


def test_capacities_are_the_sums_of_pools_and_image_stores(api, root, make):
    first, second = Place(make), Place(make)
    a, b = first.cluster(), first.cluster()
    sizes = {"size_bytes": 100, "capacity_bytes": 200}
    first.pool(cluster=a, **sizes, used_bytes=11, stored_bytes=3)
    first.pool(cluster=a, **sizes, used_bytes=22, stored_bytes=4)
    first.pool(cluster=b, **sizes, used_bytes=40, stored_bytes=5)
    first.pool(size_bytes=1000, capacity_bytes=1500, used_bytes=700, stored_bytes=600)
    first.pool(host=a.hosts.get(), **sizes, used_bytes=9, stored_bytes=8)
    second.pool(cluster=second.cluster(), **sizes, used_bytes=1, stored_bytes=2)
    for state in ("Maintenance", "Disabled"):
        first.pool(cluster=a, **sizes, used_bytes=50, state=state)
    gone = first.pool(cluster=a, **sizes)
    gone.mark_removed()
    for used in (5, 6):
        saved(ImageStore(name="s", url="nfs://h/p", zone=first.zone, used_bytes=used, capacity_bytes=50))
    zone, other = str(first.zone.uuid), str(second.zone.uuid)

    assert listed(api, root, zoneid=zone) == {
        (zone, 2): (3 + 4 + 5 + 600, 1300),
        (zone, 3): (11 + 22 + 40 + 700, 600 + 1500),
        (zone, 9): (9, 200),
        (zone, 6): (11, 100),
    }
    assert listed(api, root) == listed(api, root, zoneid=zone) | {(other, 2): (2, 100), (other, 3): (1, 200)}
    pod, cluster = str(first.pod.uuid), str(a.uuid)
    assert listed(api, root, podid=pod) == {(pod, 2): (12, 300), (pod, 3): (73, 600), (pod, 9): (9, 200)}
    assert listed(api, root, clusterid=cluster) == {
        (cluster, 2): (7, 200),
        (cluster, 3): (33, 400),
        (cluster, 9): (9, 200),
    }
    only = api(root, "listCapacity", type=3, zoneid=zone)["capacity"]
    assert [(row["name"], row["percentused"]) for row in only] == [("STORAGE_ALLOCATED", "36.81")]


def test_the_number_of_pools_costs_no_queries(api, root, make, django_assert_max_num_queries):
    place = Place(make)
    for _ in range(30):
        place.pool(cluster=place.cluster(hosts=0))
    api(root, "listCapacity", zoneid=place.zone.uuid)

    with django_assert_max_num_queries(16):
        api(root, "listCapacity", zoneid=place.zone.uuid)
