"""Secondary storage that only hosts reach: NFS of a zone with real hosts."""

import pytest

from apps.configuration.store import STORE
from apps.core.errors import CloudError
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.images.models import ImageStore, TemplateCopy
from apps.images.services import copies
from apps.infrastructure.models import Cluster, Host
from apps.jobs import runner
from tests.crash import matrix, work_off
from tests.images.test_templates import WHAT, listed, register, used

pytestmark = pytest.mark.django_db
STORE_URL = "nfs://192.0.2.9/export"


@pytest.fixture(autouse=True)
def settings_of_this_test():
    yield STORE.forget()
    STORE.forget()


@pytest.fixture
def zone(make):
    make.domain()
    return make.zone()


@pytest.fixture
def hosts(make, api, zone):
    """Two real hosts, of which the first has more machines, and NFS."""
    cluster = make.row("infrastructure.Cluster", None)
    Cluster.all_tenants.filter(pk=cluster.pk).update(hypervisor="Fake", zone=zone)
    for name, guests in (("busy", 7), ("idle", 1)):
        row = make.host(name)
        Host.all_tenants.filter(pk=row.pk).kernel_update(cluster=cluster, status="Up", type="Routing", guests=guests)
    api(make.root(), "addImageStore", provider="NFS", url=STORE_URL, zoneid=zone.uuid)


@pytest.fixture
def alice(make):
    return make.caller("alice")


def test_the_host_with_the_fewest_machines_brings_it(api, zone, hosts, alice, cloud):
    register(api, alice, zone)

    row = listed(api, alice)[0]
    assert (row["isready"], row["size"], row["physicalsize"]) == (True, 1 << 20, 5000)
    assert (list(cloud.stored.values()), cloud.calls) == (["http://example.com/image.qcow2"], ["images.bring on idle"])
    copy = TemplateCopy.all_tenants.get()
    assert copies.url_of(copy.template, zone.pk) in cloud.stored
    assert used(alice.account, "secondary_storage") == 5000


@pytest.mark.parametrize("error", [Busy("it is being fetched"), Unknown("cut")])
def test_it_is_asked_for_again_until_it_is_there(api, zone, hosts, alice, cloud, error):
    cloud.fail("images.bring", error, times=3, when="before")

    register(api, alice, zone)

    assert listed(api, alice)[0]["isready"] is True
    assert cloud.calls == ["images.bring on idle"] * 4


def test_what_the_host_refuses_is_told_and_leaves_no_file(api, zone, hosts, alice, cloud):
    cloud.fail("images.bring", Refused("the image refers to another file"), times=99)

    register(api, alice, zone)

    row = listed(api, alice)[0]
    assert (row["isready"], row["status"]) == (False, "the image refers to another file")
    assert (cloud.stored, cloud.calls[-1]) == ({}, "images.remove on idle")
    assert api(alice, "deleteTemplate", id=row["id"]) == {"success": True}


def test_another_host_goes_on_where_the_first_is_down(api, zone, hosts, alice, cloud):
    cloud.fail("images.bring", Busy("away"), times=99, host="idle")
    api(
        alice,
        "registerTemplate",
        name="t",
        format="QCOW2",
        hypervisor="KVM",
        url="http://x.example/a.qcow2",
        zoneid=zone.uuid,
    )

    runner.drain()
    Host.all_tenants.filter(name="idle").update(status="Disconnected")
    work_off()

    assert listed(api, alice)[0]["isready"] is True
    assert cloud.calls[-1] == "images.bring on busy"


def test_without_a_host_it_says_so(api, zone, hosts, alice, cloud):
    Host.all_tenants.update(status="Disconnected")

    register(api, alice, zone)

    row = listed(api, alice)[0]
    assert row["status"] == "nothing in the zone can bring it into secondary storage now"
    assert cloud.calls == []


def test_its_file_goes_with_it(api, zone, hosts, alice, cloud):
    register(api, alice, zone)

    assert api(alice, "deleteTemplate", id=listed(api, alice)[0]["id"]) == {"success": True}

    assert (cloud.stored, listed(api, alice), used(alice.account, "secondary_storage")) == ({}, [], 0)


def test_a_file_that_cannot_be_deleted_keeps_its_template(api, zone, hosts, alice, cloud):
    register(api, alice, zone)
    Host.all_tenants.update(status="Disconnected")

    with pytest.raises(CloudError, match="^Resource is unavailable, please try again later$"):
        api(alice, "deleteTemplate", id=listed(api, alice)[0]["id"])

    assert (len(cloud.stored), len(listed(api, alice))) == (1, 1)


def test_killed_at_every_point_it_is_there_once(api, make, zone, hosts, alice, cloud):
    def scene():
        cloud.stored.clear()
        api(alice, "registerTemplate", **WHAT, url="http://example.com/image.qcow2", zoneid=zone.uuid)

    def verdict(world, lost):
        assert (lost, listed(api, alice)[0]["isready"], len(cloud.stored)) == (False, True, 1)

    assert matrix(scene, verdict) >= 4


@pytest.mark.parametrize(
    ("url", "checksum"), [("http://x/a.qcow2", "ab" * 16), ("http://x/a.qcow2.gz", ""), ("http://x/a.qcow2.xz?v=1", "")]
)
def test_the_checksum_of_a_packed_image_is_not_that_of_the_file(make, zone, alice, hosts, url, checksum):
    template = make.template(alice.account, url=url, checksum="ab" * 16)
    nowhere = copies.source_of(template, zone.pk)
    TemplateCopy.all_tenants.filter(template=template).update(store=ImageStore.all_tenants.get(), path="p/q")

    assert nowhere == (url, "ab" * 16)
    assert copies.source_of(template, zone.pk) == (f"{STORE_URL}/template/p/q", checksum)
