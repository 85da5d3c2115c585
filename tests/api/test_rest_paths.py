"""The rule that makes paths of names, over all names that the protocol knows."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from apps.api.rest import paths
from apps.core.commands import REGISTRY

CATALOGUE = json.loads((Path(__file__).parent.parent / "reference" / "api-catalog.json").read_text())


def parameters(name):
    (entry,) = (c for c in CATALOGUE["commands"] if c["name"] == name)
    return frozenset(p["name"].lower() for p in entry["params"])


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("listVolumes", ["GET /volumes", "GET /volumes/{id}"]),
        ("listEventTypes", ["GET /event-types"]),
        ("listVMSnapshot", ["GET /vm-snapshots"]),
        ("listCapacity", ["GET /capacities"]),
        ("listVPCs", ["GET /vpcs", "GET /vpcs/{id}"]),
        ("listPublicIpAddresses", ["GET /public-ip-addresses", "GET /public-ip-addresses/{id}"]),
        ("createVolume", ["POST /volumes"]),
        ("addHost", ["POST /hosts"]),
        ("updateVPCOffering", ["PATCH /vpc-offerings/{id}"]),
        ("deleteNetwork", ["DELETE /networks/{id}"]),
        ("removeRegion", ["DELETE /regions/{id}"]),
        ("deleteSSHKeyPair", ["POST /ssh-key-pairs/delete"]),
        ("deleteEvents", ["POST /events/delete"]),
        ("updateConfiguration", ["POST /configurations/update"]),
        ("attachVolume", ["POST /volumes/{id}/attach"]),
        ("startVirtualMachine", ["POST /virtual-machines/{id}/start"]),
        ("resetPasswordForVirtualMachine", ["POST /virtual-machines/{id}/reset-password"]),
        ("resetSSHKeyForVirtualMachine", ["POST /virtual-machines/{id}/reset-ssh-key"]),
        ("addNicToVirtualMachine", ["POST /virtual-machines/add-nic"]),
        ("prepareHostForMaintenance", ["POST /hosts/{id}/prepare-for-maintenance"]),
        ("cancelHostMaintenance", ["POST /hosts/{id}/cancel-maintenance"]),
        ("updateHostPassword", ["POST /hosts/update-password"]),
        ("registerTemplate", ["POST /templates/register"]),
        ("associateIpAddress", ["POST /ip-addresses/associate"]),
        ("disassociateIpAddress", ["POST /ip-addresses/{id}/disassociate"]),
        ("markDefaultZoneForAccount", ["POST /accounts/mark-default-zone"]),
        ("getUserKeys", ["GET /user-keys/{id}"]),
        ("getKubernetesClusterConfig", ["GET /kubernetes-clusters/{id}/config"]),
        ("getCloudIdentifier", ["GET /cloud-identifier"]),
        ("queryAsyncJobResult", ["GET /async-jobs/{id}"]),
        ("findHostsForMigration", ["GET /hosts-for-migration"]),
    ],
)
def test_by_rule(name, ways):
    assert [f"{route.method} {route.path}" for route in paths.routes_of(name, parameters(name))] == ways


def test_no_two_names_of_the_protocol_come_to_the_same():
    found = defaultdict(list)
    for entry in CATALOGUE["commands"]:
        if entry.get("removed"):
            continue
        for route in paths.routes_of(entry["name"], parameters(entry["name"])):
            found[route.method, route.path].append(entry["name"])

    assert {place: names for place, names in found.items() if len(names) > 1} == {}


def test_every_command_that_is_served_has_a_way_and_is_found_by_it():
    for name in REGISTRY:
        route = paths.path_of(name)
        assert route is not None, name
        found, given = paths.find(route.path.replace("{id}", "x"))[route.method]
        assert (found, given) == (route, "x" if "{id}" in route.path else "")


def test_a_verb_of_a_collection_is_no_id():
    route, given = paths.find("/templates/register")["POST"]

    assert (route.command, given) == ("registerTemplate", "")
    assert paths.find("/templates/register")["GET"][1] == "register"
    assert paths.find("/nothing/here") == {}
