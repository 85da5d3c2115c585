import uuid

import pytest

from apps.core.audit import CHECKS
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.models import Tag
from apps.core.ownership import reassign, release
from apps.domains import services as domains
from apps.events.models import Event
from apps.jobs.models import Job
from apps.storage.models import Volume
from apps.tags import services
from tests.conftest import unknown

AUDIT = CHECKS["tags: each is on a row that lives, and owner and place are the row's"]
ENV = [{"key": "env", "value": "prod"}]


@pytest.fixture
def alice(make, db):
    return make.caller("alice", make.domain("a", make.domain()))


@pytest.fixture
def volume(make, alice):
    return make.volume(alice.account)


def tags(row):
    return dict(row.tag_rows.values_list("key", "value"))


def create(api, caller, *rows, given=ENV, word="Volume", **more):
    ids = ",".join(str(getattr(row, "uuid", row)) for row in rows)
    return api(caller, "createTags", resourceids=ids, resourcetype=word, tags=given, **more)


KINDS = {
    "UserVm": lambda make, owner: make.vm(owner),
    "Volume": lambda make, owner: make.volume(owner),
    "Template": lambda make, owner: make.template(owner),
    "ISO": lambda make, owner: make.template(owner, is_iso=True),
    "Network": lambda make, owner: make.row("network.Network", owner),
    "PublicIpAddress": lambda make, owner: make.row("network.PublicAddress", owner),
    "FirewallRule": lambda make, owner: make.row("firewall.Rule", owner),
    "SecurityGroup": lambda make, owner: make.row("firewall.SecurityGroup", owner),
}


@pytest.mark.parametrize("word", KINDS)
def test_a_row_of_each_kind_is_tagged_listed_and_untagged(api, make, alice, word):
    row = KINDS[word](make, alice.account)

    assert create(api, alice, row, word=word, customer="acme") == {"success": True}

    listed = api(alice, "listTags", resourceid=row.uuid, resourcetype=word.lower())
    domain = alice.account.domain
    assert listed == {
        "count": 1,
        "tag": [
            {
                "key": "env",
                "value": "prod",
                "customer": "acme",
                "resourcetype": word,
                "resourceid": str(row.uuid),
                "account": "alice",
                "domainid": str(domain.uuid),
                "domain": "a",
                "domainpath": "ROOT/a",
            }
        ],
    }
    assert api(alice, "deleteTags", resourceids=row.uuid, resourcetype=word) == {"success": True}
    assert api(alice, "listTags") == {}


def test_the_row_shows_its_tags_and_lists_find_it_by_them(api, make, alice, volume):
    make.volume(alice.account)
    create(api, alice, volume, given=[*ENV, {"key": "zürich", "value": "a b*c~d+e/f=g&h"}])

    found = api(alice, "listVolumes", tags=ENV)

    assert [row["id"] for row in found["volume"]] == [str(volume.uuid)]
    shown = {tag["key"]: (tag["value"], tag["resourcetype"], tag["account"]) for tag in found["volume"][0]["tags"]}
    assert shown == {"env": ("prod", "Volume", "alice"), "zürich": ("a b*c~d+e/f=g&h", "Volume", "alice")}
    assert api(alice, "listVolumes", tags=[{"key": "env", "value": "test"}]) == {}


def test_several_rows_are_tagged_together_or_not_at_all(api, make, alice, volume):
    other = make.volume(alice.account)
    create(api, alice, other, given=[{"key": "Env", "value": "test"}])

    with pytest.raises(CloudError, match=f"^tags: Volume {other.uuid} has a tag Env already$") as error:
        create(api, alice, volume, other)

    assert error.value.code == 431
    assert (tags(volume), tags(other)) == ({}, {"Env": "test"})
    create(api, alice, volume, other, given=[{"key": "tier", "value": "web"}])
    assert (tags(volume), tags(other)) == ({"tier": "web"}, {"Env": "test", "tier": "web"})


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([{"key": "env"}], "tags: the key env has no value"),
        ([{"value": "prod"}], "tags: each has a key"),
        ([{"key": "k" * 256, "value": "v"}], "tags: a key has from 1 to 255 characters"),
        ([{"key": "k", "value": "v" * 256}], "tags: the value of k has more than 255 characters"),
    ],
)
def test_a_tag_without_key_or_value_is_refused(api, alice, volume, given, text):
    with pytest.raises(CloudError, match=f"^{text}$") as error:
        create(api, alice, volume, given=[*ENV, *given])

    assert error.value.code == 431
    assert not Tag.objects.exists()


@pytest.mark.parametrize("command", ["createTags", "deleteTags"])
def test_foreign_rows_are_531_and_unknown_ones_431_at_once(api, make, alice, volume, command):
    bob = make.caller("bob", make.domain("b", make.domain()))
    create(api, alice, volume)
    before = Job.objects.count()

    for caller, row, code in ((bob, volume, 531), (alice, unknown(), 431), (alice, "x", 431)):
        with pytest.raises(CloudError) as error:
            api(caller, command, resourceids=f"{getattr(row, 'uuid', row)}", resourcetype="Volume", tags=ENV)
        assert error.value.code == code
    with pytest.raises(CloudError, match=r"Invalid parameter resourceids value=x\{0\} due"):
        api(alice, command, resourceids="x{0}", resourcetype="Volume", tags=ENV)

    assert (Job.objects.count(), tags(volume)) == (before, {"env": "prod"})


def test_a_row_of_another_type_than_was_said_is_unknown(api, make, alice):
    iso = make.template(alice.account, is_iso=True)

    with pytest.raises(CloudError, match="Invalid parameter resourceids") as error:
        create(api, alice, iso, word="Template")

    assert error.value.code == 431


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, "Unable to execute API command createtags due to missing parameter resourcetype"),
        ({"resourcetype": "Volume"}, "Unable to execute API command createtags due to missing parameter resourceids"),
        ({"resourcetype": "Volume", "resourceids": ""}, "Invalid value provided for API arg: resourceids"),
        (
            {"resourcetype": "Host", "resourceids": "x"},
            "resourcetype: Host is none of the resources that have tags: FirewallRule, ISO, Network, "
            "PortForwardingRule, PublicIpAddress, SecurityGroup, Template, UserVm, Volume",
        ),
    ],
)
def test_what_is_missing_is_named(api, alice, params, text):
    with pytest.raises(CloudError) as error:
        api(alice, "createTags", tags=ENV, **params)

    assert (error.value.code, str(error.value)) == (431, text)


def test_tags_are_missing(api, alice, volume):
    with pytest.raises(CloudError, match="^Unable to execute API command createtags due to missing parameter tags$"):
        api(alice, "createTags", resourceids=volume.uuid, resourcetype="Volume")


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ([{"key": "A"}], {"b": "2"}),
        ([{"key": "a", "value": "1"}, {"key": "b", "value": "other"}], {"b": "2"}),
        ([{"key": "a"}, {"key": "b"}], {}),
    ],
)
def test_tags_are_deleted_by_key_and_by_key_and_value(api, alice, volume, given, left):
    create(api, alice, volume, given=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])

    api(alice, "deleteTags", resourceids=volume.uuid, resourcetype="Volume", tags=given)

    assert tags(volume) == left


def test_deleting_what_is_not_there_is_refused(api, alice, volume):
    create(api, alice, volume)

    with pytest.raises(CloudError, match="^tags: the resources have no such tags$") as error:
        api(alice, "deleteTags", resourceids=volume.uuid, resourcetype="Volume", tags=[{"key": "env", "value": "x"}])

    assert (error.value.code, tags(volume)) == (431, {"env": "prod"})


def test_tags_are_listed_in_the_scope_of_their_owners(api, make, alice, volume):
    root, admin = make.root(), make.caller("dora", alice.account.domain, kind=Kind.DOMAIN_ADMIN)
    bob = make.caller("bob", make.domain("b", make.domain()))
    project = make.project(alice.account, name="p", domain=alice.account.domain)
    alice = make.caller("al", alice.account.domain)
    owner = volume.owner
    services.create(word="Volume", rows=[volume], tags={"of": "alice"})
    services.create(word="Volume", rows=[make.volume(bob.account)], tags={"of": "bob"})
    services.create(word="Volume", rows=[make.volume(project)], tags={"of": "project"})

    def listed(caller, **params):
        return [tag["value"] for tag in api(caller, "listTags", **params).get("tag", [])]

    assert listed(root) == []
    assert listed(root, listall=True) == ["alice", "bob"]
    assert listed(root, listall=True, projectid="-1") == ["alice", "bob", "project"]
    assert listed(admin, listall=True) == ["alice"]
    assert listed(admin, account=owner.name, domainid=owner.domain.uuid) == ["alice"]
    assert listed(bob, listall=True) == ["bob"]
    assert listed(alice, listall=True) == []
    assert listed(root, listall=True, resourceid=volume.uuid) == ["alice"]
    assert listed(bob, listall=True, resourceid=volume.uuid) == []
    assert listed(root, listall=True, value="BOB") == ["bob"]
    assert listed(root, listall=True, keyword="li") == ["alice"]
    assert listed(root, listall=True, key="o") == []
    assert listed(root, listall=True, resourceid=uuid.uuid4()) == []


def test_the_domain_admin_above_may_tag_and_the_tag_is_the_owners(api, make, alice, volume):
    admin = make.caller("dora", alice.account.domain, kind=Kind.DOMAIN_ADMIN)

    create(api, admin, volume)

    assert Tag.objects.get().owner == alice.account


def test_tags_go_with_their_rows_and_names_are_free_again(api, alice, volume):
    create(api, alice, volume)

    release(volume)

    assert not Tag.objects.exists()


def test_tags_follow_a_row_to_another_account_and_a_domain_to_another_place(api, make, alice, volume):
    bob = make.account("bob", make.domain("b", make.domain()))
    create(api, alice, volume)

    reassign(volume, bob)
    assert Tag.objects.get().owner == bob
    domains.move(domain=bob.domain, parent=alice.account.domain)

    assert Tag.objects.get().domain_path == f"{alice.account.domain.path}{bob.domain.pk}/"
    assert list(AUDIT()) == []


def test_each_change_is_an_event_of_its_own_name(api, alice, volume):
    create(api, alice, volume)
    api(alice, "deleteTags", resourceids=volume.uuid, resourcetype="Volume")

    kinds = list(Event.all_tenants.filter(state="Completed").order_by("pk").values_list("kind", flat=True))
    assert kinds == ["CREATE_TAGS", "DELETE_TAGS"]


def test_copies_of_tags_leave_those_that_are_there(make, alice, volume):
    template = make.template(alice.account)
    services.create(word="Template", rows=[template], tags={"a": "1", "b": "2"})
    services.create(word="Volume", rows=[volume], tags={"a": "mine"})

    services.copy(source=template, target=volume, word="Volume")

    assert tags(volume) == {"a": "mine", "b": "2"}
    assert set(volume.tag_rows.values_list("resource_type", "resource")) == {("Volume", volume.uuid)}


@pytest.mark.parametrize("change", ["domain_path", "owner", "in_project", "resource", "row_id", "kind"])
def test_the_audit_finds_a_tag_that_is_not_as_its_row(api, make, alice, volume, change):
    create(api, alice, volume)
    assert list(AUDIT()) == []
    wrong = {"domain_path": "/9/", "owner": make.account("other"), "in_project": True, "resource": uuid.uuid4()}

    Tag.objects.update(**{change: wrong.get(change, 99)})

    assert len(list(AUDIT())) == 1


def test_the_audit_finds_a_tag_of_a_row_that_is_gone(api, alice, volume):
    create(api, alice, volume)

    Volume.all_tenants.filter(pk=volume.pk).kernel_update(removed="2026-01-01T00:00Z")

    assert list(AUDIT()) == [f"tag env of storage.volume {volume.uuid}: its row is gone, or another's"]


def test_the_audit_finds_a_tag_of_a_kind_that_has_none(api, alice, volume):
    create(api, alice, volume)

    Tag.objects.update(kind="infrastructure.host")

    assert list(AUDIT()) == ["a tag of infrastructure.host, which has none"]
