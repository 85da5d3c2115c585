"""Parts that an operator has installed: found by their entry points, without a line of configuration."""

import sys

import pytest

from apps.machines.services import placement
from apps.machines.services.placement import contracts, explanations, planners
from apps.machines.services.placement.choosing import Search
from tests.machines.conftest import pools_of

MODULE = """
from django.db.models import Q
from apps.machines.services.placement.contracts import HostFilter, HostWeigher, Planner, PoolFilter, PoolWeigher

host = HostFilter("rack", lambda request: ~Q(name="r1"), lambda request: "in rack 1", "rack 1 of {zone_name} is closed")
pool = PoolFilter("vendor", lambda request, disk: ~Q(name="p1"), lambda request, disk: "of vendor 1")
by_name = HostWeigher("by name", lambda request, hosts: {each.pk: float(each.name[1:]) for each in hosts})
pool_by_name = PoolWeigher("pools by name", lambda request, pools: {each.pk: float(each.name[1:]) for each in pools})
planner = Planner("EvenPlanner", lambda request: [Q(name__in=["r2", "r4"]), Q()])
"""
ENTRIES = """
[cloudportal.host_filters]
rack = placed_by_operator:host
[cloudportal.pool_filters]
vendor = placed_by_operator:pool
[cloudportal.host_weighers]
by name = placed_by_operator:by_name
[cloudportal.pool_weighers]
pools by name = placed_by_operator:pool_by_name
[cloudportal.planners]
EvenPlanner = placed_by_operator:planner
"""


def install(folder, monkeypatch, entries, module=MODULE):
    """A distribution as pip leaves it."""
    info = folder / "placed_by_operator-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: placed-by-operator\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)
    (folder / "placed_by_operator.py").write_text(module)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "placed_by_operator", raising=False)
    contracts.added.cache_clear()


@pytest.fixture(autouse=True)
def without():
    yield
    contracts.added.cache_clear()


@pytest.fixture
def rack(park, tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, ENTRIES)
    for number in (1, 2, 3, 4):
        park.host(f"r{number}")
        park.pool(f"p{number}")
    return park


def test_filters_and_weighers_of_operators_take_part(rack):
    vm = rack.machine()

    assert rack.fit(vm) == ["r4", "r3", "r2"]
    assert placement.reserve(vm).name == "r4"
    assert pools_of(vm) == ["p4"]


def test_they_are_named_in_explanations(rack):
    request = rack.request(rack.machine())

    hosts, pools = explanations.of_hosts(request), explanations.of_pools(request, request.disks[0])

    assert [(each.name, each.reason, each.number) for each in hosts.dropped] == [("rack", "in rack 1", 1)]
    assert [(each.name, each.reason, each.number) for each in pools.dropped] == [("vendor", "of vendor 1", 1)]
    assert set(Search(request).candidates().weights) == {"by name", "firstfit"}


def test_a_planner_of_an_operator_is_chosen_by_its_name(rack):
    assert rack.fit(rack.machine(offering={"planner": "EvenPlanner"})) == ["r4", "r2"]
    assert "EvenPlanner" in contracts.names("planners")
    assert "EvenPlanner" not in planners.DEFAULT.choices  # those of the start of the process


def test_a_part_that_does_not_load_stops_the_start(park, tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, ENTRIES, "raise ImportError('no such library')")

    with pytest.raises(ImportError, match="^no such library$"):
        contracts.load()


@pytest.mark.parametrize("entry", ["rack = placed_by_operator:planner", "other = placed_by_operator:host"])
def test_a_part_of_another_kind_or_name_stops_the_start(park, tmp_path, monkeypatch, entry):
    install(tmp_path, monkeypatch, f"[cloudportal.host_filters]\n{entry}\n")

    with pytest.raises(TypeError, match=r"^cloudportal\.host_filters: placed_by_operator:\w+ is no HostFilter named"):
        contracts.load()
