from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core import ports
from apps.core.errors import CloudError, InvalidParameter
from apps.events import services
from apps.events.models import Alert
from tests.factories.events import alert

pytestmark = pytest.mark.django_db


def raised(api, root, **given):
    return [row["description"] for row in api(root, "listAlerts", **given).get("alert", [])]


@pytest.fixture
def three(make):
    now = timezone.now()
    return [
        alert(make, None, kind=kind, number=number, text=kind.lower(), sent=now - timedelta(hours=number))
        for number, kind in enumerate(("ALERT.MEMORY", "ALERT.CPU", "ALERT.STORAGE"))
    ]


def test_the_newest_comes_first_with_all_it_says(api, make, three):
    root = make.root()

    answer = api(root, "listAlerts")

    assert (answer["count"], [row["type"] for row in answer["alert"]]) == (3, [0, 1, 2])
    assert answer["alert"][0] == {
        "id": str(three[0].uuid),
        "type": 0,
        "name": "ALERT.MEMORY",
        "description": "alert.memory",
        "sent": three[0].sent.strftime("%Y-%m-%dT%H:%M:%S+0000"),
    }


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"name": "alert.cpu"}, ["alert.cpu"]),
        ({"type": "2"}, ["alert.storage"]),
        ({"type": "x"}, []),
        ({"type": "99999999999"}, []),
        ({"keyword": "STOR"}, ["alert.storage"]),
    ],
)
def test_filters(api, make, three, given, names):
    assert raised(api, make.root(), **given) == names


def test_alerts_are_the_operators_business(api, make):
    alice = make.caller()
    for name in ("listAlerts", "listAlertTypes", "generateAlert", "archiveAlerts", "deleteAlerts"):
        with pytest.raises(CloudError) as error:
            api(alice, name)
        assert error.value.code == 432


def test_archived_ones_are_listed_no_more_and_deleted_ones_are_gone(api, make, three):
    root = make.root()

    api(root, "archiveAlerts", ids=three[0].uuid)
    api(root, "deleteAlerts", type="1")

    assert (raised(api, root), Alert.all_tenants.count()) == (["alert.storage"], 2)
    with pytest.raises(InvalidParameter):
        api(root, "deleteAlerts")
    with pytest.raises(InvalidParameter, match="ids"):
        api(root, "archiveAlerts", ids=f"{three[2].uuid},{three[1].uuid}")
    assert raised(api, root) == ["alert.storage"]


def test_one_that_is_open_and_comes_again_is_counted(make):
    sink = ports.events.one()
    for text in ("first", "second"):
        sink.alert("router 1", text, "ALERT.SERVICE.DOMAINROUTER", {"zone": 1})
        sink.alert("zone 1", text, "ALERT.CPU", {"zone": 1})
    sink.alert("zone 1", "elsewhere", "ALERT.CPU", {"zone": 2})

    rows = Alert.all_tenants.order_by("pk").values_list("kind", "number", "zone_id", "text", "times")
    assert list(rows) == [
        ("ALERT.SERVICE.DOMAINROUTER", 9, 1, "second", 2),  # repeats: says what is new
        ("ALERT.CPU", 1, 1, "first", 2),  # does not
        ("ALERT.CPU", 1, 2, "elsewhere", 1),
    ]


def test_one_that_was_put_away_comes_anew(make):
    sink = ports.events.one()
    sink.alert("s", "text")
    services.archive(Alert.all_tenants.all())

    sink.alert("s", "text")

    assert list(Alert.all_tenants.order_by("pk").values_list("archived", flat=True)) == [True, False]


def test_an_operator_raises_one_by_hand(api, make):
    root, zone = make.root(), make.zone()

    answer = api(root, "generateAlert", name="MY.OWN", type=77, description="the roof leaks", zoneid=zone.uuid)

    assert answer == {"success": True}
    assert list(Alert.all_tenants.values_list("kind", "number", "text", "zone_id")) == [
        ("MY.OWN", 77, "the roof leaks", zone.pk)
    ]


def test_types(api, make):
    answer = api(make.root(), "listAlertTypes")

    assert answer["count"] == 43
    assert answer["alerttype"][0] == {"alerttypeid": 0, "name": "ALERT.MEMORY", "repetitionallowed": False}
    assert {"alerttypeid": 14, "name": "ALERT.MANAGEMENT", "repetitionallowed": True} in answer["alerttype"]


def test_old_alerts_are_kept_unless_a_delay_is_set(make, three, monkeypatch):
    Alert.all_tenants.update(created=timezone.now() - timedelta(days=400))
    assert services.purge_alerts() == 0
    monkeypatch.setattr(services.ALERT_DELAY, "value", lambda: 399)

    assert (services.purge_alerts(), Alert.all_tenants.count()) == (3, 0)
