import threading

import pytest

from apps.core import dispatch
from apps.core.errors import CloudError
from apps.core.ownership import admit
from apps.images.flows import download
from apps.images.models import ImageStore, Template, TemplateCopy
from apps.images.services import copies, stores
from tests.crash import work_off
from tests.test_concurrency import in_threads

pytestmark = pytest.mark.django_db
WHAT = {"name": "t", "format": "QCOW2", "hypervisor": "KVM", "url": "http://example.com/a.qcow2"}


@pytest.fixture
def root(make):
    make.domain()
    return make.root()


def refused(call):
    with pytest.raises(CloudError) as error:
        call()
    return error.value.code


def added(api, root, zone, **more):
    given = {"zoneid": zone.uuid, "name": "SEC1", "provider": "NFS", "url": "nfs://127.0.0.1:/export/secondary"} | more
    return api(root, "addImageStore", **given)["imagestore"]


def test_the_line_of_a_fresh_installation_adds_a_store(api, make, root):
    zone = make.zone()

    got = added(api, root, zone)

    assert {name: got[name] for name in got if name != "id"} == {
        "name": "SEC1",
        "url": "nfs://127.0.0.1:/export/secondary",
        "protocol": "nfs",
        "providername": "NFS",
        "readonly": False,
        "scope": "ZONE",
        "zoneid": str(zone.uuid),
        "zonename": zone.name,
        "disksizetotal": 1 << 40,
        "disksizeused": 0,
    }
    assert api(root, "listImageStores") == {"count": 1, "imagestore": [got]}


def test_the_older_form_answers_under_its_older_name(api, make, root):
    got = api(root, "addSecondaryStorage", zoneid=make.zone().uuid, url="nfs://h/p")["secondarystorage"]

    assert (got["name"], got["providername"]) == ("nfs://h/p", "NFS")


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "nfs://"},
        {"url": "nfs:///export"},
        {"url": "nfs://h/../etc"},
        {"url": "ftp://h/p"},
        {"url": "file://../x"},
        {"provider": "Tape"},
        {"zoneid": None},
        {"details": [{"key": "a"}]},
    ],
)
def test_what_is_no_store_is_refused(api, make, root, wrong):
    assert refused(lambda: added(api, root, make.zone(), **wrong)) == 431
    assert ImageStore.all_tenants.count() == 0


def test_a_store_is_added_once(api, make, root):
    added(api, root, make.zone())

    assert refused(lambda: added(api, root, make.zone(), name="other")) == 431
    assert ImageStore.all_tenants.count() == 1


def test_lists_by_every_filter(api, make, root):
    zone = make.zone()
    other = type(zone)(name="z2")
    other.save()
    first = added(api, root, zone)
    second = added(api, root, other, name="SEC2", url="file:///srv/images")
    api(root, "updateImageStore", id=second["id"], readonly=True)

    def listed(**by):
        return [row["name"] for row in api(root, "listImageStores", **by).get("imagestore", [])]

    assert listed() == ["SEC1", "SEC2"]
    assert listed(id=first["id"]) == listed(name="sec1") == listed(protocol="nfs") == listed(readonly=False) == ["SEC1"]
    assert listed(zoneid=other.uuid) == listed(keyword="c2") == listed(readonly=True) == ["SEC2"]
    assert listed(provider="NFS") == ["SEC1", "SEC2"]
    assert refused(lambda: api(make.caller("alice"), "listImageStores")) == 432


def test_nothing_new_comes_into_a_store_that_is_read_only(api, make, root):
    zone = make.zone()
    got = added(api, root, zone)
    changed = api(root, "updateImageStore", id=got["id"], name="new", capacitybytes=7, readonly=True)["imagestore"]

    assert (changed["name"], changed["disksizetotal"], changed["readonly"]) == ("new", 7, True)
    alice = make.caller("alice")
    with pytest.raises(CloudError, match="no secondary storage"):
        api(alice, "registerTemplate", **WHAT, zoneid=zone.uuid)
    assert refused(lambda: api(root, "updateImageStore", id=got["id"], name="")) == 431
    api(root, "updateImageStore", id=got["id"], readonly=False)
    assert api(alice, "registerTemplate", **WHAT, zoneid=zone.uuid)["count"] == 1


def test_the_store_with_the_most_room_gets_the_next_image(api, make, root):
    zone = make.zone()
    full, empty = added(api, root, zone), added(api, root, zone, url="nfs://h/2")
    ImageStore.all_tenants.filter(uuid=full["id"]).update(used_bytes=1 << 39)

    assert str(copies.store_of(zone).uuid) == empty["id"]


@pytest.mark.django_db(transaction=True)
def test_a_store_is_deleted_or_filled(make):
    zone, root, alice = make.zone(), make.root(), make.caller("alice")
    dispatch.call(root, "addImageStore", provider="NFS", url="nfs://h/p", zoneid=zone.uuid)
    store = ImageStore.all_tenants.get()
    done = []

    def work(number):
        try:
            if number == 8:
                dispatch.call(root, "deleteImageStore", id=store.uuid)
            else:
                dispatch.call(alice, "registerTemplate", **WHAT | {"name": f"t{number}"}, zoneid=zone.uuid)
            done.append(number)
        except CloudError:
            return

    in_threads(work)

    living = TemplateCopy.all_tenants.filter(store__removed=None).count()
    assert TemplateCopy.all_tenants.count() == living
    assert Template.all_tenants.count() == living
    assert (ImageStore.all_tenants.count() == 0) == (8 in done)


@pytest.mark.django_db(transaction=True)
def test_what_is_being_ordered_keeps_its_store(make):
    """The order has looked for a store and not yet written its copy: the deletion waits for it, and is refused."""
    from django.db import connection, transaction

    zone, root, alice = make.zone(), make.root(), make.account("alice")
    dispatch.call(root, "addImageStore", provider="NFS", url="nfs://h/p", zoneid=zone.uuid)
    store, template = ImageStore.all_tenants.get(), admit(Template, alice, name="debian", hypervisor="Fake")
    told = []

    def delete():
        try:
            stores.delete(store=store)
        except CloudError as error:
            told.append(error.code)
        finally:
            connection.close()

    with transaction.atomic():
        stores.hold(store)
        other = threading.Thread(target=delete)
        other.start()
        other.join(0.3)
        download.order(template, store)
    other.join()

    assert told == [536]
    assert ImageStore.all_tenants.count() == 1
    work_off()
    TemplateCopy.all_tenants.kernel_update(removed="2020-01-01T00:00Z", alive=None)
    stores.delete(store=store)
    with pytest.raises(CloudError, match="was removed"):
        download.order(template, store)
