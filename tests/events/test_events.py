import time
import uuid
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from apps.core import dispatch, ports
from apps.core.callers import USER, Access, Kind
from apps.core.commands import REGISTRY, AsyncCommand, Command, CreateCommand, command
from apps.core.errors import CloudError, InvalidParameter, PermissionDenied
from apps.core.refs import Ref
from apps.domains import services as domains
from apps.events import selectors, services
from apps.events.commands import events as commands
from apps.events.kinds import event_types
from apps.events.models import Event, UsageEvent, uuid7
from apps.events.services import EVENT_DELAY
from apps.jobs import runner
from tests.conftest import unknown
from tests.factories.events import event

pytestmark = pytest.mark.django_db


@pytest.fixture
def probes():
    """Commands that do as they are told, of each of the three kinds."""

    def run(self, volume=None, row=None):
        if volume is not None and volume.name == "bad":
            raise InvalidParameter(f"id: {volume} is bad")

    def create(self, volume):
        return volume

    id = Ref("storage.Volume", Access.OPERATE, source="volume", required=True, help_text="a volume")
    body = {"__doc__": "Probes.", "id": id, "run": run}
    how = {"roles": USER, "event": "VOLUME.UPDATE", "response": None}
    command("probeNow", **how)(type("Now", (Command,), dict(body)))
    command("probeLater", **how, locks=("volume",))(type("Later", (AsyncCommand,), dict(body)))
    more = {"create": create, "failed": lambda self, row: None}
    command("probeNew", **how, locks=("volume",))(type("New", (CreateCommand,), body | more))
    yield
    for name in ("probeNow", "probeLater", "probeNew"):
        del REGISTRY[name]


def told(**given):
    rows = Event.all_tenants.filter(kind="VOLUME.UPDATE", **given).order_by("pk")
    return list(rows.values_list("state", "level", "text"))


def test_a_synchronous_command_is_told_once_when_it_is_done(api, make, probes):
    alice = make.caller()
    volume = make.volume(alice.account)

    api(alice, "probeNow", id=volume.uuid)

    assert told() == [("Completed", "INFO", f"Successfully completed probeNow of volume {volume.uuid}")]


def test_one_that_fails_is_told_too_and_one_that_does_not_parse_is_not(api, make, probes):
    alice = make.caller()
    volume = make.volume(alice.account, name="bad")

    with pytest.raises(InvalidParameter):
        api(alice, "probeNow", id=volume.uuid)
    with pytest.raises(CloudError):
        api(alice, "probeNow", id=unknown())

    text = f"Error while probeNow of volume {volume.uuid}: id: volume {volume.uuid} is bad"
    assert told() == [("Completed", "ERROR", text)]


def test_the_steps_of_a_job_are_a_chain(api, make, probes):
    alice = make.caller()
    volume = make.volume(alice.account)

    api(alice, "probeLater", id=volume.uuid)

    what = f"probeLater of volume {volume.uuid}"
    first = Event.all_tenants.get(kind="VOLUME.UPDATE", state="Scheduled")
    assert told() == [
        ("Scheduled", "INFO", f"Scheduled async job for {what}"),
        ("Started", "INFO", f"Starting job for {what}"),
        ("Completed", "INFO", f"Successfully completed {what}"),
    ]
    assert told(first=first.uuid) == told()[1:]
    assert first.first is None


def test_a_job_that_makes_its_row_begins_with_created(api, make, probes):
    alice = make.caller()
    volume = make.volume(alice.account)

    api(alice, "probeNew", id=volume.uuid)

    first = Event.all_tenants.get(kind="VOLUME.UPDATE", state="Created")
    assert [state for state, _, _ in told()] == ["Created", "Scheduled", "Started", "Completed"]
    assert len(told(first=first.uuid)) == 3


def test_a_job_that_fails_ends_with_an_error(api, make, probes):
    alice = make.caller()
    volume = make.volume(alice.account, name="bad")

    with pytest.raises(CloudError):
        api(alice, "probeLater", id=volume.uuid)

    text = f"Error while probeLater of volume {volume.uuid}: id: volume {volume.uuid} is bad"
    assert told()[-1] == ("Completed", "ERROR", text)


def test_the_end_of_a_job_is_told_though_its_chain_was_deleted(make, probes):
    alice = make.caller()
    volume = make.volume(alice.account)
    dispatch.call(alice, "probeLater", id=volume.uuid)
    dispatch.call(alice, "deleteEvents", type="VOLUME.UPDATE")

    runner.drain()

    assert told() == [("Completed", "INFO", f"Successfully completed probeLater of volume {volume.uuid}")]


def test_what_is_done_to_a_row_is_told_to_its_owner_and_says_who_did_it(api, make, probes):
    alice, root = make.caller(), make.root()
    volume = make.volume(alice.account, name="v")

    api(root, "probeNow", id=volume.uuid)

    (row,) = api(alice, "listEvents", type="volume.update")["event"]
    assert api(root, "listEvents", type="VOLUME.UPDATE") == {}
    assert row == {
        "id": row["id"],
        "created": row["created"],
        "type": "VOLUME.UPDATE",
        "level": "INFO",
        "state": "Completed",
        "description": f"Successfully completed probeNow of volume {volume.uuid}",
        "account": "alice",
        "domain": "ROOT",
        "domainid": str(alice.account.domain.uuid),
        "domainpath": "ROOT",
        "archived": False,
        "resourceid": str(volume.uuid),
        "resourcetype": "Volume",
        "resourcename": "v",
    }


def test_what_is_made_is_what_its_event_is_about(api, make):
    alice = make.caller()

    made = api(alice, "createSSHKeyPair", name="k")["keypair"]

    (row,) = api(alice, "listEvents")["event"]
    assert (row["resourceid"], row["resourcetype"], row["resourcename"]) == (made["id"], "SshKeyPair", "k")


def test_the_user_is_named(api, make, probes):
    from apps.accounts.models import User
    from apps.accounts.tenants import caller_for

    account = make.account()
    alice = caller_for(account, User.all_tenants.get(account=account))
    api(alice, "probeLater", id=make.volume(account).uuid)

    rows = api(alice, "listEvents")["event"]

    assert {row["username"] for row in rows} == {"alice"}
    assert [row["state"] for row in rows] == ["Completed", "Started", "Scheduled"]
    assert [row.get("parentid") for row in rows] == [rows[2]["id"], rows[2]["id"], None]


@pytest.fixture
def some(make):
    """Five events of alice, the oldest first, a day apart and the last now."""
    alice, now = make.caller(), timezone.now()
    kinds = ("VM.CREATE", "VM.START", "VM.STOP", "VM.START", "VM.DESTROY")
    levels = ("INFO", "INFO", "WARN", "ERROR", "INFO")
    rows = [
        event(make, alice.account, kind=kind, level=level, text=f"text {number}")
        for number, (kind, level) in enumerate(zip(kinds, levels, strict=True))
    ]
    for number, row in enumerate(rows):
        Event.all_tenants.filter(pk=row.pk).update(created=now - timedelta(days=4 - number))
    return alice, rows, now


def listed(api, caller, **given):
    numbers = [int(row["description"].split()[-1]) for row in api(caller, "listEvents", **given).get("event", [])]
    return numbers[::-1]


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"type": "vm.start"}, [1, 3]),
        ({"type": "NO.SUCH"}, []),
        ({"level": "error"}, [3]),
        ({"state": "completed"}, [0, 1, 2, 3, 4]),
        ({"keyword": "destroy"}, [4]),
        ({"keyword": "WARN"}, [2]),
        ({"archived": True}, []),
    ],
)
def test_filters(api, some, given, numbers):
    assert listed(api, some[0], **given) == numbers


def test_dates_include_their_ends(api, some):
    alice, _, now = some
    day = [(now - timedelta(days=back)).strftime("%Y-%m-%dT%H:%M:%S+0000") for back in range(5)]
    after = (now - timedelta(days=1, seconds=-1)).strftime("%Y-%m-%dT%H:%M:%S+0000")

    assert listed(api, alice, startdate=day[1]) == [3, 4]
    assert listed(api, alice, enddate=after) == [0, 1, 2, 3]
    assert listed(api, alice, startdate=day[3], enddate=after) == [1, 2, 3]
    assert listed(api, alice, enddate=(now - timedelta(days=1)).strftime("%Y-%m-%d"))[:3] == [0, 1, 2]


def test_a_time_is_found_by_keys_where_there_are_many_rows(some, monkeypatch, django_assert_num_queries):
    _, rows, now = some
    monkeypatch.setattr(selectors, "FEW", 0)

    assert selectors.key_before(Event, now - timedelta(days=2, hours=1)) == rows[1].pk
    assert selectors.key_before(Event, now - timedelta(days=9)) == rows[0].pk - 1
    assert selectors.key_before(Event, now + timedelta(days=9)) == rows[4].pk
    found = selectors.in_time(Event.all_tenants, now - timedelta(days=3, hours=1), now - timedelta(hours=1))
    assert list(found.order_by("pk")) == rows[1:4]


def test_a_row_is_named_with_its_kind(api, make, some):
    alice = some[0]
    volume = make.volume(alice.account)
    event(make, alice.account, resource_kind="Volume", resource_uuid=volume.uuid, text="text 9")

    assert listed(api, alice, resourceid=volume.uuid, resourcetype="volume") == [9]
    assert listed(api, alice, resourcetype="Volume") == [9]
    assert listed(api, alice, resourceid=unknown(), resourcetype="Volume") == []
    with pytest.raises(InvalidParameter, match="must be used with resourcetype"):
        api(alice, "listEvents", resourceid=volume.uuid)


def test_a_chain_is_found_by_its_first(api, make, some):
    alice, rows, _ = some
    event(make, alice.account, first=rows[2].uuid, text="text 7")

    assert listed(api, alice, startid=rows[2].uuid) == [2, 7]
    with pytest.raises(CloudError, match="startid"):
        api(alice, "listEvents", startid=unknown())


def test_what_takes_too_long_is_found(api, make, some):
    alice, now = some[0], timezone.now()
    for number, ended in ((10, False), (11, True)):
        row = event(make, alice.account, state="Scheduled", text=f"text {number}")
        Event.all_tenants.filter(pk=row.pk).update(created=now - timedelta(seconds=100))
        if ended:
            event(make, alice.account, first=row.uuid, text=f"text {number}0")

    assert listed(api, alice, entrytime=200, duration=50) == [10]
    assert listed(api, alice, entrytime=90, duration=50) == []
    with pytest.raises(InvalidParameter, match="Entry time must be greater than duration"):
        api(alice, "listEvents", entrytime=50, duration=50)


def test_scope(api, make):
    root, dora = make.root(), make.caller("dora", make.domain("a", make.domain()), kind=Kind.DOMAIN_ADMIN, type=2)
    below = make.account("carol", make.domain("aa", dora.account.domain))
    for number, owner in enumerate((root.account, dora.account, below)):
        event(make, owner, text=f"text {number}")

    assert listed(api, root) == [0]
    assert listed(api, root, listall=True) == [0, 1, 2]
    assert listed(api, dora) == [1]
    assert listed(api, dora, listall=True) == [1, 2]
    assert listed(api, dora, domainid=below.domain.uuid) == [2]
    assert listed(api, dora, account="carol", domainid=below.domain.uuid) == [2]


def test_events_of_a_project_are_listed_with_it(api, make):
    alice = make.account()
    project = make.project(alice)
    event(make, project, text="text 1")
    caller = ports.tenants.one().caller(None, alice.pk)

    assert listed(api, caller) == []
    assert listed(api, caller, projectid=project.uuid) == [1]


def test_a_domain_that_moves_takes_its_events_along(api, make):
    root = make.domain()
    a, b = make.domain("a", root), make.domain("b", root)
    row = event(make, make.account("x", make.domain("aa", a)))

    domains.move(domain=a, parent=b)

    assert Event.all_tenants.get(pk=row.pk).domain_path == f"/{root.pk}/{b.pk}/{a.pk}/{row.owner.domain_id}/"


def test_the_types_are_those_that_the_protocol_knows(api, make):
    answer = api(make.caller(), "listEventTypes")

    assert (answer["count"], answer["eventtype"][0]) == (574, {"name": "ACCOUNT.CREATE"})
    assert {spec.event for spec in REGISTRY.values() if spec.event} >= {"VOLUME.CREATE"}
    assert "VM.CREATE" in event_types()


@pytest.mark.parametrize("name", ["archiveEvents", "deleteEvents"])
def test_which_events_are_meant_has_to_be_said(api, some, name):
    for given, text in (({}, "either ids"), ({"startdate": "2020-01-01"}, "either ids, type or enddate")):
        with pytest.raises(InvalidParameter, match=text):
            api(some[0], name, **given)
    with pytest.raises(InvalidParameter, match="startdate must be specified with enddate"):
        api(some[0], name, startdate="2020-01-01", type="VM.START")

    assert listed(api, some[0]) == [0, 1, 2, 3, 4]


def test_archived_events_are_listed_when_one_asks_for_them(api, some):
    alice, rows, _ = some

    assert api(alice, "archiveEvents", ids=f"{rows[1].uuid},{rows[2].uuid}") == {"success": True}

    assert (listed(api, alice), listed(api, alice, archived=True)) == ([0, 3, 4], [1, 2])


def test_deleted_ones_are_gone(api, make, some, monkeypatch):
    alice, _, now = some
    other = event(make, make.account("bob"))
    monkeypatch.setattr(services, "BATCH", 1)

    end = (now - timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M:%S+0000")
    api(alice, "deleteEvents", type="VM.START", enddate=end)
    assert listed(api, alice) == [0, 2, 4]
    api(alice, "deleteEvents", enddate=end)

    assert listed(api, alice) == [4]
    assert Event.all_tenants.filter(pk=other.pk).exists()


def test_ids_of_others_are_refused_all_together(api, make, some):
    alice, rows, _ = some
    foreign = event(make, make.account("bob"))

    with pytest.raises(PermissionDenied):
        api(alice, "deleteEvents", ids=f"{rows[0].uuid},{foreign.uuid}")
    with pytest.raises(CloudError, match=f"value={(nobody := unknown())}"):
        api(alice, "deleteEvents", ids=f"{rows[0].uuid},{foreign.uuid},{nobody}")
    with pytest.raises(CloudError, match="value={x} "):
        api(alice, "deleteEvents", ids="{x}")

    assert Event.all_tenants.count() == 6


def test_many_ids_cost_the_same_queries(api, some, django_assert_num_queries):
    alice, rows, _ = some
    api(alice, "archiveEvents", type="NONE")  # settings and rules are read

    for chosen in (rows[:1], rows[1:]):
        with django_assert_num_queries(4):
            api(alice, "archiveEvents", ids=",".join(str(row.uuid) for row in chosen))


def test_old_events_are_purged_from_the_oldest_on(some, monkeypatch):
    monkeypatch.setattr(services, "BATCH", 1)
    monkeypatch.setattr(EVENT_DELAY, "value", lambda: 2)

    assert services.purge_events() == 3

    assert list(Event.all_tenants.order_by("pk").values_list("text", flat=True)) == ["text 3", "text 4"]


def test_nothing_is_purged_where_the_delay_is_0(some, monkeypatch):
    monkeypatch.setattr(EVENT_DELAY, "value", lambda: 0)

    assert (services.purge_events(), Event.all_tenants.count()) == (0, 5)


def test_more_than_can_be_counted_is_told_by_the_keys(api, make, some, monkeypatch):
    root = make.root()
    Event.all_tenants.filter(pk=some[1][1].pk).delete()
    monkeypatch.setattr(commands, "EXACT_TO", 3)

    cache.delete(commands.COUNT)
    given = {"listall": True, "page": 1, "pagesize": 2}
    assert api(root, "listEvents", **given)["count"] == 5
    assert api(root, "listEvents", **given, level="INFO")["count"] == 2
    monkeypatch.setattr(commands, "EXACT_TO", 4)
    cache.delete(commands.COUNT)
    assert api(root, "listEvents", **given)["count"] == 4


def test_an_event_costs_one_insert_and_a_step_of_a_job_one_read_more(make, django_assert_num_queries):
    alice = make.caller()
    volume, sink = make.volume(alice.account), ports.events.one()

    with django_assert_num_queries(1):
        sink.done("VOLUME.UPDATE", alice, volume, "done")
    with django_assert_num_queries(1):
        first = sink.begun("VOLUME.UPDATE", alice, volume, "it", created=True)
    with django_assert_num_queries(2):
        sink.went_on(first, "Started")


def test_what_costs_is_told_to_the_usage_server_and_a_state_only_changes(make):
    from apps.storage.states import VOLUME

    volume = make.volume(make.account())
    VOLUME.fire(volume, "CreateRequested")
    VOLUME.fire(volume, "OperationSucceeded")

    rows = UsageEvent.objects.values_list("kind", "owner_id", "row_kind", "row_id")
    assert list(rows) == [("VOLUME.CREATE", volume.owner_id, "storage.volume", volume.pk)]
    assert Event.all_tenants.count() == 0


def test_a_long_text_is_cut(make):
    alice = make.caller()

    ports.events.one().done("VM.START", alice, None, "x" * 2000)

    assert Event.all_tenants.get().text == "x" * 1021 + "..."


def test_ids_follow_the_clock():
    early = uuid7()
    time.sleep(0.002)
    late = uuid7()

    assert early < late
    assert (late.version, late.variant) == (7, uuid.RFC_4122)
