import pytest

from apps.configuration.store import STORE
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.seeds import SEEDS
from apps.offerings import seeds
from apps.offerings.models import DiskOffering, NetworkOffering, ServiceOffering, VpcOffering

pytestmark = pytest.mark.django_db
FIXED = {"name": "o", "cpunumber": 2, "cpuspeed": 1000, "memory": 1024}


@pytest.fixture
def root(make):
    make.domain()
    return make.root()


@pytest.fixture
def tree(make):
    """Admins and users of the domains a, aa below it, and b."""
    a = make.domain("a", make.domain())
    domains = {"a": a, "aa": make.domain("aa", a), "b": make.domain("b", make.domain())}
    admins = {n: make.caller(f"{n}-admin", d, kind=Kind.DOMAIN_ADMIN, type=2) for n, d in domains.items()}
    return {"domains": domains, "admins": admins, "users": {n: make.caller(n, d) for n, d in domains.items()}}


def refused(api, caller, name, code=431, /, **params):
    before = [m.including_removed.count() for m in (ServiceOffering, DiskOffering, NetworkOffering, VpcOffering)]
    with pytest.raises(CloudError) as error:
        api(caller, name, **params)
    after = [m.including_removed.count() for m in (ServiceOffering, DiskOffering, NetworkOffering, VpcOffering)]
    assert (error.value.code, after) == (code, before)
    return str(error.value)


def names(answer, key="serviceoffering"):
    return [row["name"] for row in answer.get(key, ())]


def test_a_fixed_offering_says_all_of_it(api, root, make):
    zone = make.zone()
    got = api(
        root,
        "createServiceOffering",
        **FIXED,
        tags="ssd, fast ,ssd",
        hosttags="gpu",
        networkrate=0,
        rootdisksize=20,
        offerha=True,
        zoneid=zone.uuid,
        serviceofferingdetails=[{"key": "a", "value": "1"}, {"b": "2"}],
    )["serviceoffering"]

    assert {n: got[n] for n in got if n not in ("id", "created")} == {
        "name": "o",
        "displaytext": "o",
        "state": "Active",
        "cpunumber": 2,
        "cpuspeed": 1000,
        "memory": 1024,
        "iscustomized": False,
        "limitcpuuse": False,
        "offerha": True,
        "isvolatile": False,
        "dynamicscalingenabled": False,
        "storagetype": "shared",
        "provisioningtype": "thin",
        "hosttags": "gpu",
        "storagetags": "ssd,fast",
        "networkrate": 0,
        "rootdisksize": 20,
        "issystem": False,
        "defaultuse": False,
        "zone": "z1",
        "zoneid": str(zone.uuid),
        "serviceofferingdetails": {"a": "1", "b": "2"},
    }


def test_a_customized_offering_tells_its_bounds_among_the_details(api, root):
    bounds = {"mincpunumber": 1, "maxcpunumber": 4, "minmemory": 256, "maxmemory": 8192}
    got = api(root, "createServiceOffering", name="c", cpuspeed=1000, **bounds)["serviceoffering"]

    assert got["iscustomized"] is True
    assert got["serviceofferingdetails"] == {n: str(v) for n, v in bounds.items()}
    assert "cpunumber" not in got
    assert "memory" not in got


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"cpunumber": 1, "memory": 512}, "cpuspeed"),
        ({"cpunumber": 1, "cpuspeed": 500}, "memory"),
        ({**FIXED, "mincpunumber": 1}, "mincpunumber"),
        ({**FIXED, "customized": True}, "customized"),
        ({"customized": False}, "cpunumber"),
        ({"mincpunumber": 4, "maxcpunumber": 2}, "mincpunumber 4"),
        ({"mincpunumber": 4}, "maxcpunumber"),
        ({"maxmemory": 512}, "minmemory"),
        ({**FIXED, "cpunumber": 0}, "cpunumber"),
        ({**FIXED, "memory": 8}, "memory"),
        ({**FIXED, "issystem": True}, "systemvmtype"),
        ({**FIXED, "systemvmtype": "domainrouter"}, "issystem"),
        ({**FIXED, "systemvmtype": "toaster", "issystem": True}, "systemvmtype"),
        ({**FIXED, "systemvmtype": "consoleproxy", "issystem": True, "networkrate": 1}, "networkrate"),
        ({**FIXED, "networkrate": -1}, "networkrate"),
        ({**FIXED, "rootdisksize": 0}, "rootdisksize"),
        ({**FIXED, "rootdisksize": (1 << 63) - 1}, "rootdisksize"),
        ({**FIXED, "storagetype": "tape"}, "storagetype"),
        ({**FIXED, "name": " "}, "name"),
        ({**FIXED, "displaytext": "x" * 256}, "displaytext"),
        ({**FIXED, "zoneid": "nonsense"}, "zoneid"),
    ],
)
def test_what_makes_no_sense_is_refused_and_makes_nothing(api, root, params, word):
    assert word in refused(api, root, "createServiceOffering", **{"name": "o", **params})


def test_the_operator_may_bound_sizes(api, root):
    STORE.store("vm.serviceoffering.cpu.cores.max", "2")
    STORE.store("vm.serviceoffering.ram.size.max", "2048")
    try:
        api(root, "createServiceOffering", **FIXED)
        for more in ({**FIXED, "cpunumber": 3}, {**FIXED, "memory": 2049}):
            refused(api, root, "createServiceOffering", **more)
        refused(api, root, "createServiceOffering", name="c", mincpunumber=1, maxcpunumber=3)
    finally:
        STORE.forget()


def test_offerings_are_seen_in_their_domains_and_below(api, root, tree):
    a, aa, b = tree["domains"].values()
    for name, domains in (("all", None), ("in a", a.uuid), ("in aa", aa.uuid), ("in aa and b", f"{aa.uuid},{b.uuid}")):
        api(root, "createServiceOffering", **{**FIXED, "name": name}, domainid=domains)

    seen = {n: names(api(user, "listServiceOfferings")) for n, user in tree["users"].items()}
    assert seen == {
        "a": ["all", "in a"],
        "aa": ["all", "in a", "in aa", "in aa and b"],
        "b": ["all", "in aa and b"],
    }
    admin = tree["admins"]["a"]
    assert names(api(admin, "listServiceOfferings")) == ["all", "in a", "in aa", "in aa and b"]
    assert names(api(root, "listServiceOfferings", domainid=a.uuid)) == ["in a"]
    below = names(api(root, "listServiceOfferings", domainid=a.uuid, isrecursive=True))
    assert below == ["in a", "in aa", "in aa and b"]
    rows = {row["name"]: row["id"] for row in api(root, "listServiceOfferings")["serviceoffering"]}
    codes = {}
    for name, key in rows.items():
        try:
            api(admin, "updateServiceOffering", id=key, displaytext="x")
            codes[name] = 200
        except CloudError as error:
            codes[name] = error.code
    assert codes == {"all": 531, "in a": 200, "in aa": 200, "in aa and b": 531}


def test_a_domain_admin_offers_to_his_own_tree_only(api, tree):
    admin, domains = tree["admins"]["a"], tree["domains"]

    mine = api(admin, "createServiceOffering", **FIXED, tags="ssd", issystem=True)["serviceoffering"]
    assert (mine["domainid"], mine["issystem"], mine.get("storagetags")) == (str(domains["a"].uuid), False, None)
    below = api(admin, "createServiceOffering", **FIXED, domainid=domains["aa"].uuid)["serviceoffering"]
    assert below["domain"] == "aa"
    refused(api, admin, "createServiceOffering", 531, **FIXED, domainid=domains["b"].uuid)
    refused(api, admin, "updateServiceOffering", 531, id=mine["id"], domainid="public")


def test_zones_and_domains_can_be_taken_away_again(api, root, make, tree):
    zone, a = make.zone(), tree["domains"]["a"]
    got = api(root, "createServiceOffering", **FIXED, zoneid=zone.uuid, domainid=a.uuid)["serviceoffering"]

    got = api(root, "updateServiceOffering", id=got["id"], zoneid="all", domainid="public")["serviceoffering"]

    assert got.keys().isdisjoint({"zoneid", "zone", "domainid", "domain"})


def test_lists_filter_by_zone_state_size_and_kind(api, root, make):
    zone = make.zone()
    for name, more in (
        ("here", {"zoneid": zone.uuid}),
        ("small", {"cpunumber": 1}),
        ("router", {"issystem": True, "systemvmtype": "domainrouter"}),
    ):
        api(root, "createServiceOffering", **{**FIXED, "name": name, **more})
    api(root, "createServiceOffering", name="free", mincpunumber=1, maxcpunumber=2, minmemory=64, maxmemory=512)
    other = type(zone)(name="z2")
    other.save()

    assert names(api(root, "listServiceOfferings")) == ["here", "small", "free"]
    assert names(api(root, "listServiceOfferings", zoneid=other.uuid)) == ["small", "free"]
    assert names(api(root, "listServiceOfferings", zoneid=zone.uuid)) == ["here", "small", "free"]
    assert names(api(root, "listServiceOfferings", issystem=True)) == ["router"]
    assert names(api(root, "listServiceOfferings", cpunumber=2)) == ["here", "free"]
    assert names(api(root, "listServiceOfferings", memory=1024)) == ["here", "small"]
    assert names(api(make.caller("u"), "listServiceOfferings", issystem=True)) == ["here", "small", "free"]
    small = ServiceOffering.all_tenants.get(name="small")
    api(root, "updateServiceOffering", id=small.uuid, state="Inactive")
    assert names(api(root, "listServiceOfferings")) == ["here", "free"]
    assert names(api(root, "listServiceOfferings", state="inactive")) == ["small"]
    assert names(api(root, "listServiceOfferings", state="all")) == ["here", "small", "free"]
    assert names(api(root, "listServiceOfferings", id=small.uuid)) == ["small"]


def test_an_instance_can_change_to_others_of_its_storage(api, root, make):
    alice, eve = make.caller("alice"), make.caller("eve")
    vm = make.vm(alice.account)
    for name, more in (("big", {}), ("local", {"storagetype": "local"})):
        api(root, "createServiceOffering", **{**FIXED, "name": name, **more})

    assert names(api(alice, "listServiceOfferings", virtualmachineid=vm.uuid)) == ["big"]
    assert api(eve, "listServiceOfferings", virtualmachineid=vm.uuid) == {}


def test_a_withdrawn_offering_is_still_named_by_its_instances(api, root, make):
    alice = make.caller("alice")
    vm = make.vm(alice.account)

    assert api(root, "deleteServiceOffering", id=vm.offering.uuid) == {"success": True}

    assert api(alice, "listServiceOfferings") == {}
    assert api(alice, "listVirtualMachines")["virtualmachine"][0]["serviceofferingname"] == "small"
    refused(api, root, "deleteServiceOffering", id=vm.offering.uuid)


def test_disk_offerings_have_a_size_or_leave_it_to_the_customer(api, root, make):
    got = api(root, "createDiskOffering", name="d", displaytext="D", disksize=5, miniops=1, maxiops=9)["diskoffering"]
    assert (got["disksize"], got["iscustomized"], got["miniops"], got["maxiops"]) == (5, False, 1, 9)
    free = api(root, "createDiskOffering", name="f", customized=True, details=[{"k": "v"}])["diskoffering"]
    assert (free["disksize"], free["iscustomized"], free["details"]) == (0, True, {"k": "v"})
    for params in (
        {},
        {"disksize": 1, "customized": True},
        {"disksize": 0},
        {"disksize": 1 << 33},
        {"disksize": 1, "miniops": 2},
        {"disksize": 1, "miniops": 3, "maxiops": 2},
        {"disksize": 1, "customizediops": True, "miniops": 1, "maxiops": 1},
        {"disksize": 1 << 60},
    ):
        refused(api, root, "createDiskOffering", name="x", **params)
    api(root, "updateDiskOffering", id=got["id"], displayoffering=False, name="hidden")
    assert names(api(make.caller("u"), "listDiskOfferings"), "diskoffering") == ["f"]
    assert names(api(root, "listDiskOfferings"), "diskoffering") == ["hidden", "f"]
    api(root, "deleteDiskOffering", id=got["id"])
    assert names(api(root, "listDiskOfferings"), "diskoffering") == ["f"]


def test_a_fresh_installation_has_its_offerings_once_and_keeps_what_an_operator_did(api, root):
    for name in ("service", "disk", "network", "vpc"):
        SEEDS[f"offerings.{name}"]()
    small = api(root, "listServiceOfferings", name="small instance")["serviceoffering"][0]
    api(root, "updateServiceOffering", id=small["id"], name="Tiny")
    medium = api(root, "listServiceOfferings", name="Medium Instance")["serviceoffering"][0]
    api(root, "deleteServiceOffering", id=medium["id"])

    for name in ("service", "disk", "network", "vpc"):
        SEEDS[f"offerings.{name}"]()

    assert (small["cpunumber"], small["cpuspeed"], small["memory"]) == (1, 500, 512)
    assert names(api(root, "listServiceOfferings")) == ["Tiny"]
    system = api(root, "listServiceOfferings", issystem=True)["serviceoffering"]
    assert [row["systemvmtype"] for row in system] == [kind for kind, *_ in seeds.SYSTEM]
    disks = api(root, "listDiskOfferings")["diskoffering"]
    assert [(d["name"], d["displaytext"], d["disksize"], d["iscustomized"]) for d in disks] == [
        ("Small", "Small Disk, 5 GB", 5, False),
        ("Medium", "Medium Disk, 20 GB", 20, False),
        ("Large", "Large Disk, 100 GB", 100, False),
        ("Custom", "Custom Disk", 0, True),
    ]
    assert len(names(api(root, "listNetworkOfferings"), "networkoffering")) == 13
    assert names(api(root, "listVPCOfferings", isdefault=True), "vpcoffering") == [
        "Default VPC offering",
        "Redundant VPC offering",
    ]
