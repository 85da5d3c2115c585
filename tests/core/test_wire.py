"""Section 9 and 10 of wire-protocol.md, and the texts of section 6."""

from datetime import UTC, datetime

import pytest

from apps.core import wire
from apps.core.callers import ROOT, USER
from apps.core.commands import REGISTRY, Command, command
from apps.core.errors import CloudError, InvalidParameter, MalformedParameter, NoSuchRow, ParserRefused
from apps.core.mapping import check_text, flatten
from apps.core.refs import Compound, Known


@pytest.fixture
def read(make, db):
    """Parse wire strings with one field named ``x``."""
    caller = make.caller()

    def parse(field, flat, as_=caller):
        @command("echoThing", roles=USER, event="E", response=None)
        class Echo(Command):
            """Echoes."""

            x = field

            def run(self, **values):
                return values

        try:
            return REGISTRY.pop("echoThing").parse(as_, flat).get("x")
        finally:
            REGISTRY.pop("echoThing", None)

    return parse


ABSENT = None


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (wire.Bool(), "TRUE", True),
        (wire.Bool(), "1", False),
        (wire.Bool(), "yes", False),
        (wire.Bool(), "", False),
        (wire.Int(), "-7", -7),
        (wire.Int(), "", ABSENT),
        (wire.Float(), "1.5e3", 1500.0),
        (wire.Float(), "", ABSENT),
        (wire.Long(), "9223372036854775807", 9223372036854775807),
        (wire.Str(), "  blanks stay ", "  blanks stay "),
        (wire.Str(), "", ""),
        (wire.List(), "a,, b ,", ["a", " b "]),
        (wire.List(of=wire.Int()), "1,2", [1, 2]),
        (wire.Uuid(), "AAAAAAAA-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000001"),
        (wire.Date(), "2013-10-05", datetime(2013, 10, 5, tzinfo=UTC)),
        (wire.Date(end=True), "2013-10-05", datetime(2013, 10, 5, 23, 59, 59, tzinfo=UTC)),
        (wire.Date(), "2013-10-05 10:20:30", datetime(2013, 10, 5, 10, 20, 30, tzinfo=UTC)),
        (wire.Date(), "2013-10-05T10:20:30+0100", datetime(2013, 10, 5, 9, 20, 30, tzinfo=UTC)),
        (wire.Date(), "2013-10-05T10:20:30", datetime(2013, 10, 5, 10, 20, 30, tzinfo=UTC)),
        (wire.Date(), "2013-10-05T10:20:30+01:00", datetime(2013, 10, 5, 9, 20, 30, tzinfo=UTC)),
        (wire.Date(), "2013-10-05T10:20:30.000250Z", datetime(2013, 10, 5, 10, 20, 30, 250, tzinfo=UTC)),
        (wire.Date(), "2013-10-05T10:20:30Z+0000", datetime(2013, 10, 5, 10, 20, 30, tzinfo=UTC)),
        (wire.Str(allowed=ROOT), "dropped without a word", ABSENT),
    ],
)
def test_reads(read, field, text, value):
    assert read(field, {"x": text}) == value


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (wire.Int(), "2147483648"),
        (wire.Int(), "1 "),
        (wire.Int(), "٣"),
        (wire.Int(min_value=1), "0"),
        (wire.Long(), ""),
        (wire.Float(), "nan"),
        (wire.Str(choices=("a", "b")), "c"),
    ],
)
def test_refuses_with_the_text_that_clients_match_on(read, field, text):
    with pytest.raises(InvalidParameter) as error:
        read(field, {"x": text})

    assert str(error.value) == f"Unable to execute API command echothing due to invalid value {text} for parameter x"


@pytest.mark.parametrize(
    ("given", "cs_code", "text"),
    [
        ({}, 9999, "Unable to execute API command echothing due to missing parameter x"),
        ({"x": ""}, 4350, "Invalid value provided for API arg: x"),
    ],
)
def test_a_required_parameter_is_missing_or_empty(read, given, cs_code, text):
    with pytest.raises(InvalidParameter) as error:
        read(wire.Str(required=True), given)

    assert (str(error.value), error.value.cs_code) == (text, cs_code)


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "",
        " 2013-10-05",
        "20131005",
        "2013-W40-6",
        "2013-13-01",
        "2013-10-05T10:20",
        "2013-10-05 10:20:30Z",
        "0001-01-01",
        "0001-01-01T00:00:00+1400",
        "9999-12-31",
        "9999-12-31T23:59:59-1200",
    ],
)
def test_a_date_that_is_none(read, text):
    with pytest.raises(InvalidParameter) as error:
        read(wire.Date(), {"x": text})

    assert str(error.value) == (
        f"Unable to parse date {text} for command echothing, please pass dates in the format mentioned in the api "
        "documentation"
    )


def test_an_id_that_nobody_knows_can_be_told_from_other_faults(read):
    for field, text in ((wire.Uuid(), "x"), (wire.List(of=wire.Uuid()), "x")):
        with pytest.raises(NoSuchRow):
            read(field, {"x": text})
    with pytest.raises(ParserRefused) as error:
        read(wire.Int(), {"x": "x"})
    assert not isinstance(error.value, NoSuchRow)


@pytest.mark.parametrize("text", ["a\tb", "\x00", "\x7f", "\x1b[0m"])
def test_control_characters_are_refused_and_line_ends_are_not(text):
    with pytest.raises(ParserRefused) as error:
        check_text({"name": text})

    assert str(error.value) == "Received value containing illegal ASCII non-printable characters for parameter name"
    check_text({"name": "a\r\nb"})


def test_a_value_that_is_too_long(read):
    with pytest.raises(InvalidParameter, match="due to invalid value. Value greater than max allowed length 255"):
        read(wire.Str(), {"x": "a" * 256})


@pytest.mark.parametrize(
    ("style", "value"),
    [
        ("records", [{"Key": "a", "n": "1"}, {"Key": "b"}]),
        ("merged", {"Key": "b", "n": "1"}),
        ("entry0", {"Key": "a", "n": "1"}),
    ],
)
def test_maps_in_their_three_styles(read, style, value):
    flat = {"x[1].Key": "b", "x[0].Key": "a", "x[0].n": "1"}

    assert read(wire.Map(style=style), flat) == value


@pytest.mark.parametrize("name", ["x[0]", "x[a].k", "x[0].a[1]", "x]0[.k", "x[0].", "x[²].k"])
def test_a_broken_map_name_is_430(read, name):
    with pytest.raises(MalformedParameter) as error:
        read(wire.Map(), {name: "v"})

    assert error.value.code == 430


def test_python_values_become_what_a_client_would_send(make, db):
    vm = make.volume(make.account())

    flat = flatten(
        {"Force": True, "ids": ["a", "b"], "vm": vm, "no": None, "Tags": [{"Key": 1}], "details": {"cpu": 2}}
    )

    assert flat == {
        "force": "true",
        "ids": "a,b",
        "vm": str(vm.uuid),
        "tags[0].Key": "1",
        "details[0].cpu": "2",
    }


@pytest.mark.parametrize("text", ["17", "-1", "00000000-0000-0000-0000-000000000017"])
def test_an_unknown_or_integer_id_has_its_own_text(api, running, text):
    with pytest.raises(CloudError) as error:
        api(running.caller, "attachVolume", id=text, virtualmachineid=running.vm.uuid)

    assert error.value.code == 431
    assert str(error.value) == (
        "Unable to execute API command attachvolume due to invalid value. Invalid parameter id value="
        f"{text} due to incorrect long value format, or entity does not exist or due to incorrect parameter "
        "annotation for the field in api cmd class."
    )


def test_what_is_wrong_with_a_compound_is_said_of_its_part(read, make):
    class Both(Compound):
        parts = {"a": wire.Int(required=True, help_text="a"), "b": Known("domains.Domain", help_text="b")}

        def read(self, name, given, caller):
            return self.given_parts(given, caller)

    nobody = "12345678-1234-4234-8234-123456789012"
    for given, text in (
        ({}, "due to missing parameter a"),
        ({"a": "{x}"}, "due to invalid value {x} for parameter a"),
        ({"a": "1", "b": "x"}, "Invalid parameter b value=x due to"),
        ({"a": "1", "b": nobody}, f"Invalid parameter b value={nobody} due to"),
    ):
        with pytest.raises(InvalidParameter) as error:
            read(Both(), given)
        assert text in str(error.value)
    domain = make.domain()
    assert read(Both(), {"a": "1", "b": str(domain.uuid).upper()}) == {"a": 1, "b": str(domain.uuid)}
