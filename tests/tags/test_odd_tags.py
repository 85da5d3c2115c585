"""Keys that a database takes for the same, though they are spelled in two ways."""

import pytest

from apps.accounts.tenants import caller_for
from apps.core.errors import CloudError
from apps.core.models import Tag
from apps.tags.commands.tags import Resources
from tests.conftest import unknown

PAIRS = [
    ("a", "a "),
    ("Straße", "strasse"),
    ("é", "e"),
    ("A", "a"),
    ("ﬁ", "fi"),
    ("ａ", "a"),
    ("x", "x\u200b"),
    ("😀", "😁"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("together", [True, False])
def test_a_key_that_is_there_in_another_spelling_is_refused_or_another(api, make, first, second, together):
    alice = make.account()
    volume, caller = make.volume(alice), caller_for(alice)
    named = {"resourceids": volume.uuid, "resourcetype": "Volume"}
    tags = [{"key": first, "value": "1"}, {"key": second, "value": "2"}]

    code = 0
    for some in [tags] if together else [tags[:1], tags[1:]]:
        try:
            api(caller, "createTags", tags=some, **named)
        except CloudError as error:
            code = error.code

    assert code in (0, 431)
    assert Tag.objects.count() == (2 if not code else 0 if together else 1)


def test_many_resources_are_found_by_as_many_queries_as_few(db, make, django_assert_num_queries):
    alice = make.account()
    rows, caller = [make.volume(alice) for _ in range(20)], caller_for(alice)
    given = {"resourceids": ",".join(str(row.uuid) for row in rows), "resourcetype": "Volume"}

    with django_assert_num_queries(1):
        chosen = Resources().read("resources", given, caller)

    assert [row.pk for row in chosen.rows] == [row.pk for row in rows]


@pytest.mark.parametrize(("name", "code"), [("foreign", 531), ("absent", 431), ("none", 431)])
def test_the_first_that_is_wrong_is_said_and_none_gets_a_tag(api, make, name, code):
    alice, bob = make.account(), make.account("bob")
    ids = {"foreign": make.volume(bob).uuid, "absent": unknown(), "none": "{7}"}

    with pytest.raises(CloudError) as error:
        api(
            caller_for(alice),
            "createTags",
            resourceids=[make.volume(alice).uuid, ids[name]],
            resourcetype="Volume",
            tags=[{"key": "a", "value": "b"}],
        )

    assert (error.value.code, Tag.objects.count()) == (code, 0)
