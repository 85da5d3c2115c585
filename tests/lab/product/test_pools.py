"""The life of a machine on storage in the network."""

import pytest

from tests.lab.product.site import http, named
from tests.lab.tools.hosts import until


@pytest.fixture(params=["nfs", "iscsi"])
def pool(site, store, request):
    url = {"nfs": store.nfs, "iscsi": store.iscsi}[request.param]
    given = {"name": request.param, "url": url, "scope": "CLUSTER", "tags": request.param, **site.place}
    made = site.root.call("createStoragePool", **given)["storagepool"]
    yield made
    site.root.call("enableStorageMaintenance", id=made["id"])
    site.root.call("deleteStoragePool", id=made["id"])


def test_a_machine_lives_there_from_its_first_start_to_its_last(site, lab, alice, pool):
    size = {"cpunumber": 1, "cpuspeed": 200, "memory": 96, "tags": pool["name"]}
    offering = site.root.call("createServiceOffering", name=pool["name"], displaytext="x", **size)["serviceoffering"]
    name = f"on-{pool['name']}"
    vm = alice.deploy(alice.net, name=name, serviceofferingid=offering["id"])
    alice.forward(alice.address, vm, 8090, 80)
    url = f"http://{alice.address['ipaddress']}:8090"
    named(lab, url, name)
    root = site.root.list("listVolumes", "volume", virtualmachineid=vm["id"], listall="true")[0]
    assert (root["storage"], root["state"]) == (pool["name"], "Ready")
    site.on(vm).guest(vm["id"], "echo kept >/www/mine && sync")

    alice.api.call("stopVirtualMachine", id=vm["id"])
    alice.api.call("startVirtualMachine", id=vm["id"])

    named(lab, url, name)
    assert http(lab, f"{url}/mine") == "kept\n"
    alice.api.call("destroyVirtualMachine", id=vm["id"])
    site.root.call("expungeVirtualMachine", id=vm["id"])
    which = {"id": root["id"], "listall": "true"}
    until(lambda: not site.root.list("listVolumes", "volume", **which), 60, "the volume is still there")
    until(lambda: site.rows("select count(*) from storage_volume where state = 'Expunging'") == [(0,)], 60, "its disk")
