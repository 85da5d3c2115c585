"""Released clients, as they come from the index: list, deploy, wait, stop, destroy."""

import asyncio
from argparse import Namespace
from urllib.parse import urlsplit

import pytest
from CloudStackAIO.CloudStack import CloudStack as AioCloudStack
from CloudStackAIO.CloudStack import CloudStackClientException
from cs import CloudStack, CloudStackApiException
from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState, Provider
from minicloudstack import mcs


@pytest.fixture
def by_cs(user):
    return CloudStack(endpoint=user["api"], key=user["apikey"], secret=user["secretkey"], poll_interval=0.1)


@pytest.fixture
def order(by_cs):
    """What the least machine needs, in the Advanced zone."""
    zone = by_cs.listZones(networktype="Advanced", fetch_list=True)[0]
    template = by_cs.listTemplates(templatefilter="executable", zoneid=zone["id"], fetch_list=True)[0]
    offering = by_cs.listServiceOfferings(name="Small Instance", fetch_list=True)[0]
    network = by_cs.listNetworks(zoneid=zone["id"], type="Isolated", fetch_list=True)[0]
    return {
        "zoneid": zone["id"],
        "templateid": template["id"],
        "serviceofferingid": offering["id"],
        "networkids": network["id"],
    }


def state(by_cs, uuid):
    return [vm["state"] for vm in by_cs.listVirtualMachines(id=uuid, fetch_list=True)]


def test_cs(by_cs, order):
    made = by_cs.deployVirtualMachine(**order, name="by-cs", fetch_result=True)["virtualmachine"]
    assert (made["name"], made["state"], made["zoneid"]) == ("by-cs", "Running", order["zoneid"])

    stopped = by_cs.stopVirtualMachine(id=made["id"], fetch_result=True)["virtualmachine"]
    assert (stopped["id"], stopped["state"]) == (made["id"], "Stopped")

    started = by_cs.startVirtualMachine(id=made["id"], fetch_result=True)["virtualmachine"]
    assert (started["state"], started["nic"][0]["ipaddress"]) == ("Running", made["nic"][0]["ipaddress"])

    by_cs.destroyVirtualMachine(id=made["id"], fetch_result=True)
    assert state(by_cs, made["id"]) == []


def test_cs_with_tags_maps_and_odd_characters(by_cs, order):
    text = "Zürich 北京 (x)! ~ * + [1] a&b=c"
    made = by_cs.deployVirtualMachine(**order, displayname=text, startvm=False, fetch_result=True)["virtualmachine"]
    by_cs.createTags(
        resourceids=made["id"], resourcetype="UserVm", tags=[{"key": "colour", "value": text}], fetch_result=True
    )

    found = by_cs.listVirtualMachines(tags=[{"key": "colour", "value": text}], fetch_list=True)

    assert [(vm["id"], vm["displayname"], vm["state"]) for vm in found] == [(made["id"], text, "Stopped")]
    assert [(tag["key"], tag["value"]) for tag in found[0]["tags"]] == [("colour", text)]
    by_cs.destroyVirtualMachine(id=made["id"], fetch_result=True)


def test_cs_sees_errors(by_cs, order):
    with pytest.raises(CloudStackApiException) as refusal:
        by_cs.deployVirtualMachine(**order | {"templateid": order["zoneid"]})
    assert (refusal.value.error["errorcode"], refusal.value.error["cserrorcode"]) == (431, 9999)

    with pytest.raises(CloudStackApiException) as refusal:
        by_cs.listHosts()
    assert refusal.value.error["errorcode"] == 432


def test_libcloud(user, order, by_cs):
    parts = urlsplit(user["api"])
    driver = get_driver(Provider.CLOUDSTACK)(
        user["apikey"], user["secretkey"], secure=False, host=parts.hostname, port=parts.port, path=parts.path
    )
    driver.async_poll_frequency = 0.1
    location = next(each for each in driver.list_locations() if each.id == order["zoneid"])
    image = next(each for each in driver.list_images(location) if each.id == order["templateid"])
    size = next(each for each in driver.list_sizes() if each.id == order["serviceofferingid"])
    network = next(each for each in driver.ex_list_networks() if each.id == order["networkids"])

    what = {"size": size, "image": image, "location": location, "networks": [network]}
    node = driver.create_node(name="by-libcloud", ex_start_vm=True, **what)  # it asks for a stopped one else
    assert (node.name, node.state) == ("by-libcloud", NodeState.RUNNING)
    assert node.id in [each.id for each in driver.list_nodes()]

    volume = driver.create_volume(size=1, name="v", location=location)
    driver.attach_volume(node, volume)
    assert [(each.id, each.extra["device_id"]) for each in driver.list_volumes(node) if each.id == volume.id] == [
        (volume.id, 1)
    ]
    driver.detach_volume(volume)
    driver.destroy_volume(volume)

    assert driver.ex_stop(node) == "Stopped"
    assert driver.ex_start(node) == "Running"
    driver.reboot_node(node)
    pair = driver.create_key_pair("by-libcloud")
    assert [each.name for each in driver.list_key_pairs() if each.name == pair.name] == ["by-libcloud"]
    assert "PRIVATE KEY" in pair.private_key
    driver.delete_key_pair(pair)
    driver.destroy_node(node)
    assert state(by_cs, node.id) == []
    with pytest.raises(Exception, match=f"^Node '{node.id}' not found$"):
        driver.ex_get_node(node.id)


def test_aiocloudstack(user, order):
    async def work():
        loop = asyncio.get_running_loop()
        api = AioCloudStack(user["api"], user["apikey"], user["secretkey"], loop, async_poll_latency=0.1)
        try:
            made = (await api.deployVirtualMachine(**order, name="by-aio"))["virtualmachine"]
            listed = await api.listVirtualMachines(id=made["id"])
            await api.stopVirtualMachine(id=made["id"])
            await api.destroyVirtualMachine(id=made["id"])
            with pytest.raises(CloudStackClientException) as refusal:
                await api.startVirtualMachine(id=order["zoneid"])
            return made, listed, await api.listVirtualMachines(id=made["id"]), refusal.value.error_code
        finally:
            await api.client_session.close()

    made, listed, afterwards, code = asyncio.run(work())

    assert (made["name"], made["state"]) == ("by-aio", "Running")
    assert (listed["count"], listed["virtualmachine"][0]["id"]) == (1, made["id"])
    assert (afterwards, code) == ({}, 431)


def test_minicloudstack(user, order):
    login = Namespace(url=user["api"], apikey=user["apikey"], secretkey=user["secretkey"], verifysslcert=True)
    api = mcs.MiniCloudStack(login)
    assert order["zoneid"] in [zone.id for zone in api.list("zones")]

    made = api.obj("deploy virtual machine", **order, name="by-mini")
    assert (made.name, made.state) == ("by-mini", "Running")
    assert [vm.id for vm in api.list("virtual machines", name="by-mini")] == [made.id]

    assert api.obj("stop virtual machine", id=made.id).state == "Stopped"
    api.call("destroy virtual machine", id=made.id)
    assert api.list("virtual machines", name="by-mini") == []
    with pytest.raises(mcs.MiniCloudStackException, match="431: "):
        api.call("start virtual machine", id=order["zoneid"])
