"""Each filter drops what it must, and only that: one host is fit, the other is not in one respect."""

import pytest

from apps.infrastructure.models import Host
from apps.machines.services.placement import explanations
from tests.machines.conftest import GIB


def tagged(park):
    park.host("fit", tags=("ssd", "gpu", "more"))
    park.host("unfit", tags=("ssd",))
    return {"vm": park.machine(offering={"host_tags": "ssd, gpu"}, disks=())}


def of_template(park):
    park.host("fit", tags=("ssd", "own"))
    park.host("unfit", tags=("ssd",))
    template = park.make.template(park.owner, tag="own")
    return {"vm": park.machine(offering={"host_tags": "ssd"}, template=template, disks=())}


def with_host(park, **kw):
    park.host("fit")
    park.host("unfit", **kw)
    return {}


def in_cluster(park, host=None, **kw):
    park.host("fit", park.cluster())
    park.host("unfit", park.cluster(**kw), **(host or {}))
    return {}


def in_disabled_pod(park):
    park.host("fit", park.cluster())
    park.host("unfit", park.cluster(park.pod(allocation_state="Disabled")))
    return {}


def wished(name):
    def scene(park):
        fit = park.host("fit", park.cluster(park.pod()))
        park.host("unfit", park.cluster(park.pod()))
        return {"wish": {name: fit.pk if name == "host" else getattr(fit, f"{name}_id")}}

    return scene


def bounded(name, fit):
    def scene(park):
        rows = {each: park.host(each) for each in ("fit", "unfit")}
        return {name: {rows[fit].pk}}

    return scene


def of_arch(park):
    in_cluster(park, arch="aarch64")
    return {"vm": park.machine(template=park.make.template(park.owner, arch="x86_64"), disks=())}


def on_cluster_pool(park):
    in_cluster(park)
    hosts = {host.name: host for host in Host.all_tenants.all()}
    vm = park.machine(disks=())
    park.disk(vm, pool=park.pool("its", hosts["fit"].cluster), state="Ready")
    return {"vm": vm}


def on_local_pool(park):
    with_host(park)
    vm = park.machine(disks=())
    park.disk(vm, pool=park.pool("its", host=Host.all_tenants.get(name="fit")), state="Ready")
    return {"vm": vm}


def new_disk(tags="", **kw):
    """A disk for a pool of the cluster; that of the unfit host's is no such pool."""

    def scene(park):
        in_cluster(park)
        clusters = {host.name: host.cluster for host in Host.all_tenants.all()}
        park.pool("good", clusters["fit"], tags=("fast", "more"))
        park.pool("bad", clusters["unfit"], **kw)
        return {"vm": park.machine(offering={"storage_tags": tags})}

    return scene


def new_local_disk(park):
    with_host(park)
    park.pool("local", host=Host.all_tenants.get(name="fit"))
    park.pool("shared", Host.all_tenants.get(name="fit").cluster)
    return {"vm": park.machine(offering={"storage_type": "local"})}


def new_data_disk(park):
    """Data disks go by their own offering, the root disk by that of the machine."""
    in_cluster(park)
    clusters = {host.name: host.cluster for host in Host.all_tenants.all()}
    park.pool("good", clusters["fit"], tags=("archive",))
    park.pool("bad", clusters["unfit"])
    vm, offering = park.machine(), park.make.row("offerings.DiskOffering", park.owner)
    offering.storage_tags = "archive"
    offering.save(update_fields=["storage_tags"])
    park.disk(vm, offering=offering)
    return {"vm": vm}


def full(**kw):
    return lambda park: with_host(park, **kw)


MANY = {"guests": 50, "max_guests": 50}
CPU, MEMORY = "cluster.cpu.allocated.capacity.disablethreshold", "cluster.memory.allocated.capacity.disablethreshold"
NO_POOL, SHUT = "out of reach of storage for its new disks", "in a pod or cluster that is disabled"
PAST = "in a cluster past its threshold"
SCENES = {
    "wish for a host": (wished("host"), "wish", "not in the host that was asked for"),
    "wish for a cluster": (wished("cluster"), "wish", "not in the cluster that was asked for"),
    "wish for a pod": (wished("pod"), "wish", "not in the pod that was asked for"),
    "avoided": (bounded("avoid", "unfit"), "avoid", "tried before"),
    "storage of a cluster": (on_cluster_pool, "reach", "out of reach of its disks"),
    "storage of a host": (on_local_pool, "reach", "out of reach of its disks"),
    "hypervisor": (full(hypervisor="KVM"), "hypervisor", "not Fake"),
    "down": (full(status="Down"), "status", "not Up"),
    "disabled": (full(resource_state="Disabled"), "resource state", "not Enabled"),
    "in maintenance": (full(resource_state="Maintenance"), "resource state", "not Enabled"),
    "tags of the offering": (tagged, "tags", "without host tags ssd, gpu"),
    "tag of the template": (of_template, "tags", "without host tags ssd, own"),
    "affinity": (bounded("together", "fit"), "affinity", "not where its affinity group is"),
    "anti-affinity": (bounded("apart", "unfit"), "anti-affinity", "with another of its anti-affinity group"),
    "too few cores": (full(cpu_cores=0), "cores", "smaller than 1 x 1000 MHz"),
    "too slow": (full(cpu_speed_mhz=999), "cores", "smaller than 1 x 1000 MHz"),
    "as many guests as it may": (full(**MANY), "guests", "with as many machines as they may have"),
    "out of CPU": (full(cpu_mhz_used=7001), "cpu", "with less than 1000 MHz left"),
    "out of memory": (full(memory_mib_used=7169), "memory", "with less than 1024 MiB left"),
    "architecture": (of_arch, "architecture", "not x86_64"),
    "disabled cluster": (
        lambda park: in_cluster(park, allocation_state="Disabled"),
        "allocation",
        SHUT,
    ),
    "disabled pod": (in_disabled_pod, "allocation", SHUT),
    "no room on primary storage": (new_disk(gib=9), "storage", NO_POOL),
    "primary storage in maintenance": (new_disk(state="Maintenance"), "storage", NO_POOL),
    "storage tags": (new_disk("fast"), "storage", NO_POOL),
    "no local storage": (new_local_disk, "storage", NO_POOL),
    "tags of a data disk": (new_data_disk, "storage", NO_POOL),
    "CPU of the cluster": (
        lambda park: in_cluster(park, {"cpu_mhz_used": 5801}),
        "thresholds",
        PAST,
    ),
    "memory of the cluster": (
        lambda park: in_cluster(park, {"memory_mib_used": 5940}),
        "thresholds",
        PAST,
    ),
}


@pytest.mark.parametrize("name", SCENES)
def test_a_filter_drops_what_it_must_and_only_that(park, name):
    scene, filter_name, reason = SCENES[name]
    given = scene(park)
    vm = given.pop("vm", None) or park.machine(disks=())

    counts = explanations.of_hosts(park.request(vm, **given))

    assert park.fit(vm, **given) == ["fit"]
    assert [(each.name, each.number, each.reason) for each in counts.dropped] == [(filter_name, 1, reason)]
    assert (counts.total, counts.left) == (2, 1)


@pytest.mark.parametrize(
    "fits",
    [
        {"cpu_mhz_used": 7000, "memory_mib_used": 7168, "guests": 49, "cpu_cores": 1, "cpu_speed_mhz": 1000},
        {"tags": ("ssd",)},
    ],
)
def test_a_host_that_just_fits_is_not_dropped(park, fits):
    park.set("cluster.threshold.enabled", "false")
    park.host("fit", **fits)

    assert park.fit(park.machine(disks=())) == ["fit"]


@pytest.mark.parametrize(("used", "fits"), [({"cpu_mhz_used": 5800}, True), ({"cpu_mhz_used": 5801}, False)])
def test_a_threshold_counts_the_machine_and_all_hosts_of_its_cluster_that_can_take_machines(park, used, fits):
    """85 % of 8000 MHz are 6800. A host that is down or disabled adds nothing."""
    cluster = park.cluster()
    park.host("fit", cluster, **used)
    park.host("down", cluster, status="Down")
    park.host("disabled", cluster, resource_state="Disabled")

    assert park.fit(park.machine(disks=())) == (["fit"] if fits else [])


@pytest.mark.parametrize("setting", [CPU, MEMORY])
def test_a_cluster_may_have_a_threshold_of_its_own(park, setting):
    wide, narrow = park.cluster(), park.cluster()
    park.host("wide", wide, cpu_mhz_used=6000, memory_mib_used=6144)
    park.host("narrow", narrow)
    for name in (CPU, MEMORY):
        park.set(name, "1", wide)
    park.set(setting, "0.1", narrow)

    assert park.fit(park.machine(disks=())) == ["wide"]


@pytest.mark.parametrize(("setting", "fits"), [(CPU, ["h1"]), (MEMORY, [])])
def test_the_threshold_of_one_is_not_that_of_the_other(park, setting, fits):
    park.set(setting, "1", park.host("h1", cpu_mhz_used=7000).cluster)

    assert park.fit(park.machine(disks=())) == fits


def test_thresholds_can_be_switched_off(park):
    park.host("full", cpu_mhz_used=7000)
    vm = park.machine(disks=())
    assert park.fit(vm) == []

    park.set("cluster.threshold.enabled", "false")

    assert park.fit(vm) == ["full"]


def test_a_zone_that_is_disabled_takes_machines_of_root_only(park, make):
    park.host("h1")
    park.zone.allocation_state = "Disabled"
    park.zone.save(update_fields=["allocation_state"])
    tenants, roots = park.machine(disks=()), park.machine(make.root().account, disks=())

    assert (park.fit(tenants), park.fit(roots)) == ([], ["h1"])
    assert [each.name for each in explanations.of_hosts(park.request(tenants)).dropped] == ["zone"]


def test_a_disk_whose_storage_is_not_up_keeps_its_machine_from_every_host(park):
    park.host("h1")
    vm = park.machine(disks=())
    park.disk(vm, pool=park.pool("its", state="Maintenance"), state="Ready")

    assert park.fit(vm) == []
    assert [each.name for each in explanations.of_hosts(park.request(vm)).dropped] == ["storage state"]


def test_disks_in_two_clusters_leave_no_host(park):
    one, two = park.cluster(), park.cluster()
    for cluster in (one, two):
        park.host(f"h{cluster.pk}", cluster)
    vm = park.machine(disks=())
    for cluster in (one, two):
        park.disk(vm, pool=park.pool(f"p{cluster.pk}", cluster), state="Ready")

    assert park.fit(vm) == []


def test_storage_of_the_zone_is_reached_from_everywhere(park):
    park.host("h1", park.cluster())
    park.host("h2", park.cluster())
    vm = park.machine()
    assert park.fit(vm) == []

    park.pool("wide")

    assert sorted(park.fit(vm)) == ["h1", "h2"]


def test_hosts_of_other_zones_and_of_other_kinds_are_not_even_counted(park, make):
    park.host("h1")
    park.host("store", type="SecondaryStorage")
    make.row("infrastructure.Host", park.owner)
    elsewhere = make.row("infrastructure.Zone", park.owner)
    Host.all_tenants.filter(name__startswith="h").exclude(name="h1").update(zone=elsewhere)
    vm = park.machine(disks=())

    assert park.fit(vm) == ["h1"]
    assert explanations.of_hosts(park.request(vm)).total == 1


def test_the_hypervisor_of_an_iso_may_be_typed_in_any_case(park):
    park.host("h1", hypervisor="KVM")

    assert park.fit(park.machine(hypervisor="kvm", disks=())) == ["h1"]


def test_a_volume_that_is_going_binds_nothing(park):
    park.host("h1")
    vm = park.machine(disks=())
    park.disk(vm, pool=park.pool("gone", state="Maintenance"), state="Destroy", size=GIB)

    assert park.fit(vm) == ["h1"]
