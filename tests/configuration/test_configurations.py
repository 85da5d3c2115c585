import json
from pathlib import Path

import pytest

from apps.configuration.audits import readable
from apps.configuration.catalogue import current, known, spoken
from apps.configuration.endpoint import ENDPOINT
from apps.configuration.models import Value
from apps.configuration.places import ACCOUNT_IN_DOMAIN, BELOW
from apps.configuration.store import STORE
from apps.core.callers import Kind
from apps.core.errors import CloudError, InvalidParameter, PermissionDenied
from apps.core.settings import SETTINGS, Setting
from apps.events.models import Event
from apps.images.models import ImageStore
from apps.storage.models import StoragePool
from tests.conftest import unknown

pytestmark = pytest.mark.django_db
REFERENCE = Path(__file__).parent.parent / "reference"


@pytest.fixture
def root(make):
    return make.root()


@pytest.fixture
def dora(make):
    """Administers the domain a."""
    return make.caller("dora", make.domain("a", make.domain()), kind=Kind.DOMAIN_ADMIN, type=2)


@pytest.fixture
def probe():
    """A setting with every kind of place."""
    yield Setting(
        "test.probe",
        7,
        help_text="for tests",
        scope=("zone", "cluster", "storagepool", "imagestore", "domain"),
        minimum=1,
    )
    del SETTINGS["test.probe"]
    known.cache_clear()


@pytest.fixture(autouse=True)
def fresh_names(request):
    known.cache_clear()
    yield
    known.cache_clear()


def one(api, caller, name, **given):
    (found,) = api(caller, "listConfigurations", name=name, **given)["configuration"]
    return found


def test_every_name_of_the_catalogue_is_known(api, root):
    names = {s["name"] for s in json.loads((REFERENCE / "settings-catalog.json").read_text())["settings"]}
    hidden = {each.name for each in known().values() if each.is_hidden}

    answer = api(root, "listConfigurations", pagesize=-1)

    listed = {row["name"] for row in answer["configuration"]}
    assert (names - known().keys(), len(hidden)) == (set(), 40)
    assert (listed, answer["count"]) == (known().keys() - hidden, len(listed))


def test_what_nothing_reads_says_so_and_is_stored_all_the_same(api, root):
    api(root, "updateConfiguration", name="agent.load.threshold", value="0.5")

    assert one(api, root, "agent.load.threshold") | {"updated": ""} == {
        "name": "agent.load.threshold",
        "value": "0.5",
        "defaultvalue": "0.7",
        "description": "accepted, no effect",
        "displaytext": "Agent load threshold",
        "category": "Advanced",
        "group": known()["agent.load.threshold"].group,
        "subgroup": known()["agent.load.threshold"].subgroup,
        "component": "ClusteredAgentManagerImpl",
        "type": "Range",
        "scope": "Global",
        "isdynamic": True,
        "updated": "",
        "updatedby": "ROOT/admin",
    }
    assert current("agent.load.threshold") == 0.5


def test_what_code_declares_says_what_it_does_and_holds_at_once(api, root):
    shown = one(api, root, "default.page.size")

    assert (shown["value"], shown["description"], shown["isdynamic"]) == (
        "500",
        "Rows of a page when none is asked for, and at most.",
        True,
    )
    assert one(api, root, "endpoint.url")["value"] == ENDPOINT.default
    assert ENDPOINT.default.endswith("/client/api")


def test_an_unknown_name_is_431(api, root):
    for name in ("updateConfiguration", "resetConfiguration"):
        with pytest.raises(InvalidParameter, match="no such|there is no setting no.such.setting"):
            api(root, name, name="no.such.setting", value="1")
    assert "configuration" not in api(root, "listConfigurations", name="no.such.setting")
    assert Value.objects.count() == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("expunge.delay", "soon"),
        ("expunge.delay", "1_000"),
        ("expunge.delay", " 5"),
        ("expunge.delay", ""),
        ("agent.load.threshold", "1.5"),
        ("agent.load.threshold", "nan"),
        ("dynamic.apichecker.enabled", "yes"),
        ("vm.allocation.algorithm", "cleverly"),
        ("default.page.size", "x"),
    ],
)
def test_a_value_of_another_type_is_refused(api, root, name, value):
    with pytest.raises(InvalidParameter, match=f"^value: {name}"):
        api(root, "updateConfiguration", name=name, value=value)
    assert Value.objects.count() == 0


def test_a_boolean_may_be_spelled_in_any_case(api, root):
    api(root, "updateConfiguration", name="dynamic.apichecker.enabled", value="TRUE")

    assert Value.objects.get().value == "true"


def test_without_a_value_nothing_changes(api, root):
    assert api(root, "updateConfiguration", name="expunge.delay")["configuration"]["value"] == "86400"
    assert Value.objects.count() == 0


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"name": "event.purge.delay"}, ["event.purge.delay"]),
        ({"name": "EVENT.PURGE"}, ["event.purge.delay", "event.purge.interval"]),
        ({"keyword": "event.purge"}, ["event.purge.delay", "event.purge.interval"]),
        ({"category": "developer"}, ["developer", "sandbox"]),
        (
            {"group": "usage server", "keyword": "stats.job"},
            ["usage.stats.job.aggregation.range", "usage.stats.job.exec.time"],
        ),
        ({"subgroup": "events", "name": "event.purge.delay"}, ["event.purge.delay"]),
        ({"subgroup": "jobs", "name": "event.purge.delay"}, []),
        ({"name": "event.purge", "page": 2, "pagesize": 1}, ["event.purge.interval"]),
    ],
)
def test_filters(api, root, given, names):
    found = [row["name"] for row in api(root, "listConfigurations", **given).get("configuration", [])]
    if "category" in given:
        names = [each.name for each in known().values() if each.setting.category == "Developer"]

    assert found == names


def test_pages(api, root):
    first = api(root, "listConfigurations")
    second = api(root, "listConfigurations", page=2, pagesize=500)
    last = api(root, "listConfigurations", page=9, pagesize=500)

    assert (len(first["configuration"]), first["count"]) == (500, second["count"])
    assert first["configuration"][-1]["name"] < second["configuration"][0]["name"]
    assert last == {"count": first["count"]}


@pytest.fixture
def places(make, root):
    """A row of every kind that may have values of its own, each in the next."""
    cluster = make.row("infrastructure.Cluster", root.account)
    zone = cluster.zone
    (pool := StoragePool(name="s", zone=zone, cluster=cluster)).save()
    (store := ImageStore(name="i", zone=zone)).save()
    return {"zoneid": zone, "clusterid": cluster, "storageid": pool, "imagestoreuuid": store}


def test_a_row_has_its_own_value_or_that_of_what_it_lies_in(api, root, probe, places):
    def seen():
        return [probe.value(row) for row in places.values()]

    assert seen() == [7, 7, 7, 7]
    for number, (param, row) in enumerate(places.items(), 10):
        answer = api(root, "updateConfiguration", name="test.probe", value=number, **{param: row.uuid})
        assert answer["configuration"]["value"] == str(number)
    assert (seen(), probe.value()) == ([10, 11, 12, 13], 7)

    api(root, "resetConfiguration", name="test.probe", storageid=places["storageid"].uuid)
    api(root, "resetConfiguration", name="test.probe", imagestoreid=places["imagestoreuuid"].uuid)
    assert seen() == [10, 11, 11, 10]
    api(root, "resetConfiguration", name="test.probe", clusterid=places["clusterid"].uuid)
    assert one(api, root, "test.probe", storageid=places["storageid"].uuid)["value"] == "10"
    api(root, "updateConfiguration", name="test.probe", value=5)
    api(root, "resetConfiguration", name="test.probe", zoneid=places["zoneid"].uuid)
    assert seen() == [5, 5, 5, 5]
    answer = api(root, "resetConfiguration", name="test.probe")
    assert (seen(), answer["configuration"]["value"]) == ([7, 7, 7, 7], "7")


def test_a_row_of_a_kind_that_the_setting_does_not_have_is_refused(api, root, places):
    zone = places["zoneid"].uuid
    for name in ("updateConfiguration", "resetConfiguration"):
        with pytest.raises(InvalidParameter, match="Invalid scope Zone for the setting expunge.delay: it has Global"):
            api(root, name, name="expunge.delay", value="5", zoneid=zone)
    with pytest.raises(InvalidParameter, match="only one of them"):
        api(
            root,
            "updateConfiguration",
            name="expunge.delay",
            value="5",
            zoneid=zone,
            clusterid=places["clusterid"].uuid,
        )
    with pytest.raises(CloudError, match="zoneid"):
        api(root, "updateConfiguration", name="expunge.delay", value="5", zoneid=unknown())
    assert Value.objects.count() == 0


def test_a_list_for_a_row_has_what_may_be_set_there(api, root, places):
    for param, row in places.items():
        kinds = {found["scope"] for found in api(root, "listConfigurations", **{param: row.uuid})["configuration"]}
        assert kinds == {
            {"storageid": "StoragePool", "imagestoreuuid": "ImageStore"}.get(param, param[:-2].capitalize())
        }


def test_a_domain_administrator_sets_what_the_own_tree_may_have(api, make, root, dora):
    alice = make.account("alice", dora.account.domain)
    name = "allow.user.expunge.recover.vm"  # of accounts

    api(dora, "updateConfiguration", name=name, value="true", accountid=alice.uuid)

    shown = one(api, dora, name, accountid=alice.uuid)
    assert (shown["value"], shown["updatedby"]) == ("true", "ROOT/a/dora")
    assert (SETTINGS[name].value(alice), SETTINGS[name].value(dora.account)) == (True, False)


def test_and_nothing_else(api, make, root, dora, places):
    bob, name = make.account("bob", make.domain("b", make.domain())), "allow.user.expunge.recover.vm"
    with pytest.raises(PermissionDenied):
        api(dora, "updateConfiguration", name=name, value="true", accountid=bob.uuid)
    with pytest.raises(PermissionDenied):
        api(dora, "updateConfiguration", name=name, value="true", domainid=make.domain().uuid)
    with pytest.raises(PermissionDenied):
        api(dora, "listConfigurations", accountid=bob.uuid)
    for more in ({}, {"zoneid": places["zoneid"].uuid}):  # a parameter of root's is dropped
        with pytest.raises(InvalidParameter, match="accountid or domainid"):
            api(dora, "updateConfiguration", name="expunge.delay", value="5", **more)
    with pytest.raises(InvalidParameter, match="Invalid scope Domain"):
        api(dora, "updateConfiguration", name="expunge.delay", value="5", domainid=dora.account.domain.uuid)
    with pytest.raises(CloudError) as error:
        api(dora, "resetConfiguration", name=name, accountid=dora.account.uuid)
    assert (error.value.code, Value.objects.count()) == (432, 0)


def test_a_domain_administrator_lists_the_values_of_the_own_domain(api, root, dora):
    api(root, "updateConfiguration", name="expunge.delay", value="5")

    listed = api(dora, "listConfigurations", pagesize=-1)["configuration"]

    assert {row["scope"] for row in listed} == {"Domain"}
    assert not any("updatedby" in row for row in listed)


def test_users_have_no_settings(api, make):
    alice = make.caller()
    for name in ("listConfigurations", "updateConfiguration", "listConfigurationGroups"):
        with pytest.raises(CloudError) as error:
            api(alice, name, name="expunge.delay")
        assert error.value.code == 432


def test_settings_of_accounts_hold_for_a_domain_where_the_operator_allows_it(api, make, root, dora):
    alice, name = make.account("alice", dora.account.domain), "allow.user.expunge.recover.vm"
    given = {"name": name, "value": "true", "domainid": dora.account.domain.uuid}
    with pytest.raises(InvalidParameter, match="Invalid scope Domain"):
        api(dora, "updateConfiguration", **given)

    api(root, "updateConfiguration", name=ACCOUNT_IN_DOMAIN.name, value="true")
    api(dora, "updateConfiguration", **given)

    assert SETTINGS[name].value(alice) is True
    api(root, "updateConfiguration", name=ACCOUNT_IN_DOMAIN.name, value="false")
    assert SETTINGS[name].value(alice) is False


def test_the_value_of_a_domain_holds_below_it_where_the_operator_says_so(api, make, root, dora, probe):
    below = make.account("carol", make.domain("aa", dora.account.domain))
    api(dora, "updateConfiguration", name="test.probe", value="3", domainid=dora.account.domain.uuid)

    assert (probe.value(dora.account), probe.value(below)) == (3, 7)
    api(root, "updateConfiguration", name=BELOW.name, value="true")
    assert (probe.value(dora.account), probe.value(below)) == (3, 3)


def test_a_secret_value_is_sealed_and_never_told(api, root):
    name = "alert.smtp.password"

    answer = api(root, "updateConfiguration", name=name, value="canary")

    listed = api(root, "listConfigurations", pagesize=-1)
    assert "canary" not in f"{answer}{listed}{list(Value.objects.values())}{list(Event.all_tenants.values())}"
    assert current(name) == "canary"
    assert "value" not in one(api, root, name)


def test_hidden_settings_are_set_and_not_listed(api, root):
    name = "allow.operations.on.users.in.same.account"

    api(root, "updateConfiguration", name=name, value="false")

    assert current(name) is False
    assert "configuration" not in api(root, "listConfigurations", name=name)


def test_a_change_is_told_with_its_value(api, root):
    api(root, "updateConfiguration", name="expunge.delay", value="5")
    api(root, "resetConfiguration", name="expunge.delay")

    told = Event.all_tenants.filter(kind="CONFIGURATION.VALUE.EDIT").order_by("pk").values_list("text", flat=True)
    assert list(told) == [
        "Successfully completed updateConfiguration: expunge.delay to '5'",
        "Successfully completed resetConfiguration: expunge.delay to its default",
    ]


def test_groups_come_in_their_order_with_their_parts(api, root):
    answer = api(root, "listConfigurationGroups")

    names = [row["name"] for row in answer["configurationgroup"]]
    assert (answer["count"], names[0], names[-1]) == (10, "Access", "Miscellaneous")
    (usage,) = api(root, "listConfigurationGroups", group="usage server")["configurationgroup"]
    assert usage == {
        "name": "Usage Server",
        "description": "Settings of usage server",
        "precedence": 9,
        "subgroup": [{"name": "Usage", "precedence": 1}],
    }


def test_the_audit_names_what_cannot_be_read():
    STORE.store("expunge.delay", "5")
    assert list(readable()) == []
    STORE.store("expunge.delay", "soon")
    STORE.store("alert.smtp.password", "not sealed")
    STORE.store("gone", "1")
    STORE.store("agent.load.threshold", "0.5", kind="galaxy", row_id=1)

    assert list(readable()) == [
        "agent.load.threshold: no such scope as galaxy",
        "alert.smtp.password: its value is not of its type, or was sealed with a key that is gone",
        "expunge.delay: its value is not of its type, or was sealed with a key that is gone",
        "gone: no such setting",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [("expunge.delay", "Expunge delay"), ("host.capacityType.to.order", "Host capacity Type to order")],
)
def test_names_are_spoken(name, words):
    assert spoken(name) == words
