"""What operators set for simulated hosts, by the commands that scripts know."""

import pytest

from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.hypervisors.base import DiskSpec, HostAddress, MachineSpec
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.infrastructure.models import Host
from apps.simulator.driver import connect
from apps.simulator.faults import FAULTS
from apps.simulator.models import Fault, Machine
from tests.conftest import unknown

pytestmark = pytest.mark.django_db
NOW = {"within": 1.0}


@pytest.fixture(autouse=True)
def nothing_kept():
    FAULTS.outdated()
    FAULTS._places.clear()


@pytest.fixture
def root(make):
    return make.root()


@pytest.fixture
def host(make):
    return make.row("infrastructure.Host", None)


def simulated(row):
    return connect(HostAddress(row.pk, row.name, "http://sim/h"))


def start(row, name="m"):
    simulated(row).power.start(MachineSpec(name, 1, 512), **NOW)


def configure(api, root, **given):
    return api(root, "configureSimulator", **{"name": "power.start", **given})["simulatormock"]


@pytest.mark.parametrize(
    ("value", "error", "acted"),
    [
        ("fault:refused", Refused, False),
        ("enabled:false", Refused, False),
        ("fault:busy", Busy, False),
        ("fault:lost", Unknown, False),
        ("fault:acted", Unknown, True),
        ("wait:1|fault:acted", Unknown, True),
    ],
)
def test_a_call_goes_wrong_as_it_was_set_and_as_often(api, root, host, value, error, acted):
    row = configure(api, root, value=value, count=1)
    assert (row["name"], row["value"], row["count"]) == ("power.start", value, 1)

    with pytest.raises(error):
        start(host)

    assert Machine.objects.exists() is acted
    start(host)
    assert api(root, "querySimulatorMock", id=row["id"])["simulatormock"]["count"] == 0


def test_what_acts_late_is_under_way_until_then(api, root, host):
    configure(api, root, value="fault:late|after:60000", count=1)

    with pytest.raises(Unknown):
        start(host)

    with pytest.raises(Busy):
        simulated(host).power.stop("m", **NOW)


def test_calls_that_only_look_go_wrong_too(api, root, host):
    for name, call in (
        ("host.facts", lambda: simulated(host).host.facts(**NOW)),
        ("host.machines", lambda: simulated(host).host.machines(**NOW)),
        ("power.runs", lambda: simulated(host).power.runs("m", **NOW)),
        ("nics.has", lambda: simulated(host).nics.has("m", "n", **NOW)),
        ("networks.generation", lambda: simulated(host).networks.generation("n", **NOW)),
    ):
        configure(api, root, name=name, value="fault:lost", count=1)
        with pytest.raises(Unknown):
            call()
        call()


def test_a_host_that_does_not_answer_is_not_added(api, root, make, host):
    configure(api, root, name="host.facts", value="fault:lost")
    place = {"zoneid": host.zone.uuid, "podid": host.pod.uuid, "clustername": "sim", "hypervisor": "Simulator"}

    with pytest.raises(CloudError) as error:
        api(root, "addHost", url="http://sim/c/h", **place)

    assert (error.value.code, Host.all_tenants.count()) == (534, 1)


@pytest.mark.parametrize("level", ["zone", "pod", "cluster", "host"])
def test_only_hosts_of_the_place_are_hit(api, root, make, host, level):
    other = make.row("infrastructure.Host", None)
    place = host if level == "host" else getattr(host, level)
    row = configure(api, root, value="fault:refused", **{f"{level}id": place.uuid})

    assert row[f"{level}id"] == place.pk
    with pytest.raises(Refused):
        start(host)
    if level == "zone":  # both are in it
        with pytest.raises(Refused):
            start(other, "n")
    else:
        start(other, "n")


def test_what_is_set_for_the_nearest_place_and_for_the_call_wins(api, root, host):
    configure(api, root, name="*", value="fault:refused")
    configure(api, root, name="*", value="fault:lost", hostid=host.uuid)
    configure(api, root, value="fault:busy", zoneid=host.zone.uuid)

    with pytest.raises(Unknown):
        start(host)
    configure(api, root, value="wait:0", hostid=host.uuid)
    start(host)


def test_the_names_of_the_originals_agent_commands_are_known(api, root, host):
    configure(api, root, name="com.cloud.agent.api.StartCommand", value="fault:refused")
    configure(api, root, name="CreateObjectCommand", value="fault:busy")

    with pytest.raises(Refused):
        start(host)
    with pytest.raises(Busy):
        simulated(host).disks.create(DiskSpec("d", 1), **NOW)


def test_a_failed_answer_is_given_in_the_originals_form(api, root, host):
    answer = '{"com.cloud.agent.api.StartAnswer":{"result":false,"details":"no"}}'
    configure(api, root, value="wait:0", jsonresponse=answer, name="StartCommand")

    with pytest.raises(Refused):
        start(host)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"name": "power.fly"}, "name: power.fly is no call of a simulated host"),
        ({"value": "sleep:1"}, "value: 'sleep' is none of wait, fault, after, percent, enabled"),
        ({"value": "wait:long"}, "value: wait takes a number from 0 to 3600000"),
        ({"value": "percent:101"}, "value: percent takes a number from 0 to 100"),
        ({"value": "fault:odd"}, "value: fault takes one of refused, busy, lost, acted, late"),
        ({"value": "fault:late"}, "value: fault:late needs after:MILLISECONDS"),
        ({"value": "enabled:maybe"}, "value: enabled takes true or false"),
        ({"jsonresponse": "{"}, "jsonresponse: it is no JSON"),
        ({"jsonresponse": '{"a":{"result":true}}'}, 'only an answer with "result": false can be given'),
        ({"count": 0}, "invalid value 0 for parameter count"),
        ({"hostid": unknown()}, "entity does not exist"),
    ],
)
def test_what_cannot_be_set_is_refused(api, root, params, text):
    with pytest.raises(CloudError) as error:
        configure(api, root, **{"value": "wait:1", **params})

    assert (error.value.code, text in str(error.value), Fault.objects.count()) == (431, True, 0), str(error.value)


def test_what_is_set_is_listed_and_taken_back(api, root, host):
    assert api(root, "querySimulatorMock") == {}
    one = configure(api, root, value="fault:refused")
    two = configure(api, root, value="percent:50|fault:busy", hostid=host.uuid)

    listed = api(root, "querySimulatorMock")
    assert (listed["count"], [row["value"] for row in listed["simulatormock"]]) == (2, [one["value"], two["value"]])
    assert "count" not in listed["simulatormock"][0]
    assert api(root, "cleanupSimulatorMock", id=one["id"]) == {"success": True}
    for command in ("querySimulatorMock", "cleanupSimulatorMock"):
        with pytest.raises(CloudError, match=f"nothing is set under number {one['id']}"):
            api(root, command, id=one["id"])
    assert api(root, "cleanupSimulatorMock") == {"success": True}
    assert Fault.objects.count() == 0
    start(host)


def test_only_root_sets_faults(api, make, root):
    for caller in (make.caller("bob"), make.caller("boss", kind=Kind.DOMAIN_ADMIN)):
        with pytest.raises(CloudError) as error:
            configure(api, caller, value="wait:1")
        assert (error.value.code, Fault.objects.count()) == (432, 0)


def test_one_url_may_stand_for_many_hosts(api, root, host, django_assert_max_num_queries):
    place = {"zoneid": host.zone.uuid, "podid": host.pod.uuid, "clustername": "sim", "hypervisor": "Simulator"}

    with django_assert_max_num_queries(40):
        rows = api(root, "addHost", url="http://sim/c1/cpucore=8&memory=2048&count=200", hosttags="a,b", **place)[
            "host"
        ]

    assert [rows[n]["name"] for n in (0, 199)] == ["c1-1", "c1-200"]
    assert {(row["cpunumber"], row["memorytotal"], row["hosttags"]) for row in rows} == {(8, 2 << 30, "a,b")}
    assert len({row["id"] for row in rows}) == Host.all_tenants.filter(cluster__name="sim").count() == 200
    with pytest.raises(CloudError, match="at most 10000 are added by one call"):
        api(root, "addHost", url="http://sim/c1/count=10001", **place)
    assert Host.all_tenants.count() == 201
