"""List pages from declarations: columns, filters, search, pages, sort, CSV, actions."""

import csv
import io
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import dispatch
from apps.core.commands import REGISTRY
from apps.portal.compute.machines import MachineList
from apps.portal.frame.columns import columns_of
from apps.portal.frame.listing import ListPage, in_order
from apps.portal.frame.pages import PAGES
from apps.portal.models import Begun
from tests.portal.conftest import text

LISTS = sorted({page for page in PAGES.values() if issubclass(page, ListPage)}, key=lambda page: page.at)


def many(make, caller, number, **how):
    """More machines than an account may have by itself."""
    from apps.limits.services import set_limit

    for kind in ("user_vm", "cpu", "memory", "template"):
        set_limit(kind=kind, limit=-1, account=caller.account, domain=None)
    how |= {"template": make.template(caller.account), "offering": make.offering()}
    for place in range(number):
        make.vm(caller.account, name=f"vm-{place:02}", **how)


def names(page):
    """Of the rows, in their order."""
    body = page.split("<tbody>", 1)[1].split("</tbody>")[0] if "<tbody>" in page else ""
    return re.findall(r'<th scope="row">(?:<a [^>]*>)?([^<]+)', body)


@pytest.mark.parametrize("page", LISTS, ids=lambda p: p.at)
def test_what_a_list_page_names_is_declared(page):
    spec = REGISTRY[page.kind.listing]
    known = columns_of(spec.answering)

    assert [name for name in page.columns if name not in known and name not in page.own] == []
    assert [name for name in page.filters if name not in spec.fields] == []
    assert [name for name in page.bulk if page.kind.action(name) is None] == []
    assert bool(page.kind.creating) == bool(page.kind.creating in REGISTRY)


def test_links_come_from_the_sources_of_fields():
    columns = columns_of(REGISTRY["listVolumes"].answering)

    assert (columns["vmname"].to, columns["vmname"].key) == ("machines.VirtualMachine", "virtualmachineid")
    assert (columns["size"].to, columns["size"].key) == ("", "")


def test_a_list_shows_ones_own_rows_and_counts_them(browser, alice, make):
    make.vm(alice.account, name="web-01", state="Running")
    make.vm(make.account("bob"), name="foreign")

    page = browser(alice).page("/machines")

    assert names(page) == ["web-01"]
    assert "1 machine" in page
    assert "Running" in page


def test_filters_of_the_command_work_in_the_address_and_stand_as_tags(browser, alice, make):
    make.vm(alice.account, name="on", state="Running")
    make.vm(alice.account, name="off", state="Stopped")
    zone = make.zone()

    page = browser(alice).page(f"/machines?state=Running&zoneid={zone.uuid}")

    assert names(page) == ["on"]
    assert "State: Running" in page
    assert "Zone: z1" in page
    assert f'href="/machines?zoneid={zone.uuid}"' in page  # without the one


def test_the_panel_of_filters_offers_states_and_rows(browser, alice, make):
    make.vm(alice.account)

    page = browser(alice).page("/machines?panel=filters")

    assert '<option value="Running">Running</option>' in page
    assert f'<option value="{make.zone().uuid}">z1</option>' in page


def test_search_is_the_keyword_of_the_command(browser, alice, make):
    make.vm(alice.account, name="web-01")
    make.vm(alice.account, name="db-01")

    assert names(browser(alice).page("/machines?keyword=db")) == ["db-01"]


def test_a_list_with_filters_that_nothing_fits_says_how_many_there_are(browser, alice, make):
    make.vm(alice.account)

    page = browser(alice).page("/machines?keyword=nosuch")

    assert "No machines fit" in page
    assert "There are 1 without the filters." in page
    assert "Clear the filters" in page


def test_an_empty_list_says_what_it_is_and_what_to_do(browser, alice):
    page = browser(alice).page("/volumes")

    assert "No volumes yet" in page
    assert 'href="/do/createVolume"' in page


def test_pages_are_cut_by_the_command(browser, alice, make):
    many(make, alice, 30)
    visitor = browser(alice)

    first, second = visitor.page("/machines"), visitor.page("/machines?page=2")

    assert (len(names(first)), len(names(second))) == (25, 5)
    assert "1–25 of 30" in first
    assert "26–30 of 30" in second
    assert 'aria-current="page">2</a>' in second
    assert 'href="/machines?size=50"' in first


def test_a_size_that_was_chosen_is_kept(browser, alice, make):
    many(make, alice, 30)
    visitor = browser(alice)

    assert len(names(visitor.page("/machines?size=50"))) == 30
    assert len(names(visitor.page("/machines"))) == 30
    assert len(names(visitor.page("/machines?size=7"))) == 25


def test_what_is_on_one_page_can_be_sorted(browser, alice, make):
    for name, cpus in (("b", 2), ("a", 4), ("c", 1)):
        make.vm(alice.account, name=name, cpus=cpus)
    visitor = browser(alice)

    assert names(visitor.page("/machines")) == ["b", "a", "c"]
    assert names(visitor.page("/machines?sort=name")) == ["a", "b", "c"]
    assert names(visitor.page("/machines?sort=-cpunumber")) == ["a", "b", "c"]
    assert 'aria-sort="descending"' in visitor.page("/machines?sort=-cpunumber")
    assert "sort=" not in visitor.page("/machines?page=2&size=25")  # no order that would be a lie


def test_sorting_puts_what_has_no_value_last():
    rows = [{"n": 2}, {}, {"n": 10}, {"n": 1}]

    assert in_order(rows, "n") == [{"n": 1}, {"n": 2}, {"n": 10}, {}]
    assert in_order(rows, "-n") == [{"n": 10}, {"n": 2}, {"n": 1}, {}]


def test_columns_are_chosen_and_kept_for_the_user(browser, alice, make):
    make.vm(alice.account, name="web-01")
    visitor = browser(alice)

    visitor.post("/machines", {"column": ["zonename", "state", "nosuch"]})

    head = visitor.page("/machines").split("<thead>")[1].split("</thead>")[0]
    assert re.findall(r"<th scope=\"col\"[^>]*>(?:<a[^>]*>)?([^<]+)", head)[:3] == ["Name", "State", "Zone"]
    other = browser(make.caller("bob"))
    make.vm(make.account("carol"))
    assert "Template</th>" not in other.page("/machines")


def test_a_list_asks_only_for_the_details_that_its_columns_need(browser, alice, make, monkeypatch):
    asked = []
    call = dispatch.call
    monkeypatch.setattr(
        dispatch, "call", lambda caller, name, **given: asked.append((name, given)) or call(caller, name, **given)
    )
    make.vm(alice.account)

    browser(alice).page("/machines")

    (given,) = [given for name, given in asked if name == "listVirtualMachines"]
    assert given["details"] == "nics,tmpl"


def test_fields_of_administrators_are_columns_for_them_only(browser, make, alice):
    make.vm(alice.account)

    assert "hostname" not in browser(alice).page("/machines")
    assert 'value="hostname"' in browser(make.root()).page("/machines")


def test_a_list_costs_the_same_queries_for_3_and_for_24_rows(browser, alice, make):
    visitor, costs = browser(alice), []
    for more in (3, 21):
        many(make, alice, more)
        visitor.page("/machines")
        with CaptureQueriesContext(connection) as queries:
            visitor.page("/machines")
        costs.append([query["sql"] for query in queries if "configuration_" not in query["sql"]])

    assert len(costs[0]) == len(costs[1])


def test_csv_is_the_whole_view_with_the_names_of_the_wire(browser, alice, make):
    many(make, alice, 30, state="Running")
    make.vm(alice.account, name="off")

    answer = browser(alice).get("/machines?state=Running&format=csv")

    rows = list(csv.DictReader(io.StringIO(text(answer))))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="machines.csv"'
    assert len(rows) == 30
    assert rows[0]["name"] == "vm-00"
    assert set(rows[0]) == {"id", *MachineList.columns}


def test_no_cell_of_a_csv_is_a_formula(browser, alice, make):
    make.volume(alice.account, name="=cmd|' /C calc'!A0")

    rows = list(csv.DictReader(io.StringIO(text(browser(alice).get("/volumes?format=csv")))))

    assert rows[0]["name"] == "'=cmd|' /C calc'!A0"


def test_what_cannot_be_done_now_says_why(browser, alice, make):
    make.vm(alice.account, state="Running")

    page = browser(alice).page("/machines")

    assert "Start: it is Running" in page
    assert re.search(r'value="stopVirtualMachine [0-9a-f-]{36}"', page)
    assert "expungeVirtualMachine" not in page


def test_an_action_of_a_row_is_carried_out_and_told(browser, alice, make, work):
    vm = make.vm(alice.account, name="web-01", state="Stopped")
    visitor = browser(alice)

    answer = visitor.post(
        "/act",
        {
            "_token": visitor.token("/machines"),
            "kind": "machines.VirtualMachine",
            "one": f"startVirtualMachine {vm.uuid}",
            "next": "/machines",
        },
    )

    assert answer["Location"] == "/machines"
    page = visitor.page("/machines")
    assert "Start web-01: begun" in page
    begun = Begun.objects.get()
    assert (begun.command, begun.name, begun.state) == ("startVirtualMachine", "web-01", "IN_PROGRESS")
    assert f"/jobs/{begun.job}" in page
    assert "begun" not in visitor.page("/machines")  # a toast is shown once


def test_what_was_sent_twice_is_done_once(browser, alice, make):
    vm = make.vm(alice.account, state="Stopped")
    visitor = browser(alice)
    sent = {
        "_token": visitor.token("/machines"),
        "kind": "machines.VirtualMachine",
        "one": f"startVirtualMachine {vm.uuid}",
        "next": "/machines",
    }

    visitor.post("/act", sent)
    again = visitor.post("/act", sent)

    assert again["Location"] == "/machines"
    assert "This was sent before" in visitor.page("/machines")
    assert Begun.objects.count() == 1


def test_a_page_that_is_older_than_its_row_does_nothing(browser, alice, make):
    vm = make.vm(alice.account, name="web-01", state="Running")
    visitor = browser(alice)
    token = visitor.token("/machines")
    type(vm).all_tenants.filter(pk=vm.pk).kernel_update(state="Stopped")

    visitor.post("/act", {"_token": token, "kind": "machines.VirtualMachine", "one": f"stopVirtualMachine {vm.uuid}"})

    page = visitor.page("/machines")
    assert "This page was older than web-01" in page
    assert "Nothing was sent" in page
    assert Begun.objects.count() == 0


def test_many_at_once_have_a_result_each(browser, make, running, work):
    """One that cannot be stopped holds up none of the others."""
    off = make.vm(running.caller.account, name="off", state="Stopped")
    visitor = browser(running.caller)

    answer = visitor.post(
        "/act",
        {
            "_token": visitor.token("/machines"),
            "kind": "machines.VirtualMachine",
            "many": "stopVirtualMachine",
            "key": [str(running.vm.uuid), str(off.uuid)],
        },
    )
    work()

    assert re.fullmatch(r"/jobs/together/[0-9a-f-]{36}", answer["Location"])
    page = visitor.page(answer["Location"])
    states = dict(Begun.objects.values_list("name", "state"))
    assert states == {"vm": "SUCCEEDED", "off": "refused"}
    assert "1 of 2 done" in page
    assert "It is Stopped" in page


def test_all_of_the_view_can_be_chosen(browser, alice, make):
    many(make, alice, 30, state="Stopped")
    make.vm(alice.account, name="on", state="Running")
    visitor = browser(alice)

    visitor.post(
        "/act",
        {
            "_token": visitor.token("/machines?state=Stopped"),
            "kind": "machines.VirtualMachine",
            "many": "startVirtualMachine",
            "all": "1",
            "view-state": "Stopped",
        },
    )

    assert Begun.objects.filter(command="startVirtualMachine").count() == 30


def test_what_destroys_many_asks_first(browser, alice, make):
    vm = make.vm(alice.account, name="web-01", state="Stopped")
    visitor = browser(alice)
    sent = {"kind": "machines.VirtualMachine", "many": "destroyVirtualMachine", "key": [str(vm.uuid)]}

    asked = visitor.post("/act", {"_token": visitor.token("/machines"), **sent})

    assert asked.status_code == 200
    assert "web-01" in text(asked)
    assert Begun.objects.count() == 0
    token = re.search(r'name="_token" value="([^"]+)"', text(asked))[1]
    visitor.post("/act", {"_token": token, "sure": "1", **sent})
    assert Begun.objects.get().command == "destroyVirtualMachine"


def test_nobody_acts_on_a_row_of_somebody_else(browser, alice, make):
    foreign = make.vm(make.account("bob"), state="Running")
    visitor = browser(alice)
    make.vm(alice.account)
    sent = {"_token": visitor.token("/machines"), "kind": "machines.VirtualMachine"}

    answer = visitor.post("/act", {**sent, "one": f"stopVirtualMachine {foreign.uuid}"})

    assert answer.status_code == 404
    assert Begun.objects.count() == 0


def test_states_are_replaced_in_place(browser, alice, make):
    vm = make.vm(alice.account, state="Starting")
    visitor = browser(alice)

    page, part = visitor.page("/machines"), text(visitor.part("/machines?part=states"))

    assert "part=states" in page
    assert f'<span id="s-{vm.uuid}" hx-swap-oob="true">' in part
    assert "<table" not in part
    type(vm).all_tenants.filter(pk=vm.pk).kernel_update(state="Running")
    assert "part=states" not in visitor.page("/machines")
