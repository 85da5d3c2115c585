from datetime import timedelta

import pytest
from django.apps import apps
from django.template import Context, Template, TemplateSyntaxError
from django.template.loader import get_template
from django.utils import timezone, translation

from apps.portal import looks
from apps.portal.components import COMPONENTS, Use
from apps.portal.kinds import KINDS


def render(source, **context):
    return Template(source).render(Context(context))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% c-state name=x colour='red' %}", "c-state takes no colour"),
        ("{% c-state pill=True %}", "c-state needs name"),
        ("{% c-state 'Running' %}", "is no attribute=value"),
        ("{% c-note kind='ok' %}", "Unclosed tag"),
        ("{% c-nosuch %}", "Invalid block tag"),
    ],
)
def test_what_a_component_does_not_declare_does_not_compile(source, said):
    with pytest.raises(TemplateSyntaxError, match=said):
        Template(source)


@pytest.mark.parametrize("tag", COMPONENTS)
def test_every_component_has_what_renders_it(tag):
    cls = COMPONENTS[tag]
    if cls.html is COMPONENTS["c-note"].html:
        assert get_template(f"portal/components/{tag.removeprefix('c-')}.html")


def test_what_comes_from_outside_is_escaped():
    evil = '"><script>alert(1)</script>'

    for source in (
        "{% c-state name=x %}",
        "{% c-copy text=x %}",
        "{% c-tag text=x remove=x %}",
        "{% c-note kind='bad' title=x %}{{ x }}{% endc-note %}",
        "{% c-use label=x used=1 total=2 %}",
        "{% c-facts rows=rows %}",
        "{% c-link text=x url=x %}",
        "{% c-empty icon='x' title=x text=x %}{% endc-empty %}",
        "{% c-api call='listZones' params=params %}",
    ):
        html = render(source, x=evil, rows=[(evil, evil)], params={"name": evil})
        assert "<script" not in html, source


def states():
    """Every state of every model, as the wire has it."""
    found = set()
    for model in apps.get_models():
        for name in ("state", "status", "resource_state", "allocation_state"):
            field = next((f for f in model._meta.fields if f.name == name), None)
            if field is not None and field.choices:
                found |= {(str(value), model._meta.label) for value, _ in field.choices}
    return sorted(found)


@pytest.mark.parametrize(("state", "model"), states())
def test_every_state_has_a_look(state, model):
    assert state in looks.STATES


def test_only_what_is_under_way_turns_and_every_kind_has_a_shape_of_its_own():
    kinds = set(looks.STATES.values())

    assert {look.glyph for look in kinds if look.turns} == {"s-busy"}
    assert len({look.glyph for look in kinds}) == len(kinds) == 7


def test_actions_are_offered_in_the_states_that_machines_of_states_allow():
    """What the portal says of states is what the state machines say."""
    from apps.machines.states import VM
    from apps.storage.states import VOLUME

    fires = {
        ("machines.VirtualMachine", "startVirtualMachine"): (VM, {"StartRequested"}),
        ("machines.VirtualMachine", "stopVirtualMachine"): (VM, {"StopRequested"}),
        ("machines.VirtualMachine", "recoverVirtualMachine"): (VM, {"RecoveryRequested"}),
        ("machines.VirtualMachine", "expungeVirtualMachine"): (VM, {"ExpungeOperation"}),
        ("storage.Volume", "recoverVolume"): (VOLUME, {"RecoverRequested"}),
    }
    for (label, command), (machine, events) in fires.items():
        allowed = {source for source, event in machine.table if event in events}
        offered = set(KINDS[label].action(command).states)
        assert offered <= allowed, command
        assert allowed - offered <= {"Stopping", "Expunging"}, command  # repeated by the cloud itself


@pytest.mark.parametrize(
    ("use", "kind", "remark"),
    [
        ((3, 10, 0), "", ""),
        ((8, 10, 0), "warn", "80 % used"),
        ((10, 10, 0), "bad", "None left"),
        ((9, 10, 1), "warn", "100 % used"),
        ((9, 10, 2), "bad", "1 too much"),
        ((3, None, 5), "", ""),
        ((0, 0, 0), "", ""),
    ],
)
def test_a_limit_warns_from_80_percent_and_is_bad_when_full(use, kind, remark):
    used, total, add = use
    bar = Use(label="x", used=used, total=total, add=add)

    assert (bar.kind, str(bar.remark)) == (kind, remark)


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (0, "0 B", "0 B"),
        (1536, "1.5 KiB", "1,5 KiB"),
        (20 << 30, "20 GiB", "20 GiB"),
        (10 << 40, "10 TiB", "10 TiB"),
        (1234 << 50, "1,234 PiB", "1.234 PiB"),
        (None, "–", "–"),
    ],
)
def test_sizes_are_said_in_the_language(value, english, german):
    assert looks.size(value) == english
    with translation.override("de"):
        assert looks.size(value) == german


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (34, "34 s"), (125, "2 min"), (7300, "2 h"), (None, "")]
)
def test_durations_are_short(seconds, said):
    assert looks.duration(seconds) == said


def test_a_moment_is_as_short_as_it_may_be(monkeypatch):
    from datetime import UTC, datetime

    now = datetime(2026, 11, 23, 15, 7, 12, tzinfo=UTC)
    monkeypatch.setattr(looks.timezone, "localtime", lambda at=None: at or now)

    assert looks.short(now) == "15:07"
    assert looks.short(datetime(2026, 11, 22, 9, 0, tzinfo=UTC)) == "22 Nov"
    assert looks.short(datetime(2025, 11, 22, 9, 0, tzinfo=UTC)) == "22 Nov 2025"
    assert looks.short(datetime(2026, 11, 22, 9, 0, 5, tzinfo=UTC), seconds=True) == "22 Nov, 09:00:05"
    with translation.override("de"):
        assert looks.short(datetime(2026, 11, 22, 9, 0, tzinfo=UTC)) == "22. Nov"


def test_what_was_just_now_is_no_zero_minutes_ago():
    now = timezone.now()

    assert looks.ago((now - timedelta(seconds=20)).isoformat()) == "less than a minute ago"
    assert looks.ago((now - timedelta(minutes=5)).isoformat()).replace("\xa0", " ") == "5 minutes ago"
    assert looks.ago("") == looks.DASH
