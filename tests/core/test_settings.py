import pytest
from django.db import OperationalError

from apps.configuration.models import Value
from apps.configuration.store import STORE
from apps.core import ports
from apps.core.errors import InvalidParameter
from apps.core.settings import SETTINGS, Setting

pytestmark = pytest.mark.django_db


@pytest.fixture
def delay():
    STORE.forget()
    yield Setting("test.delay", 60, help_text="for tests", scope="zone", minimum=1)
    del SETTINGS["test.delay"]
    STORE.forget()


def test_the_row_of_its_scope_comes_before_the_global_value_and_that_before_the_default(make, delay):
    zone = make.zone()
    assert (delay.value(), delay.value(zone)) == (60, 60)
    STORE.store("test.delay", "30")
    assert (delay.value(), delay.value(zone)) == (30, 30)
    STORE.store("test.delay", "5", kind="zone", row_id=zone.pk)
    assert (delay.value(), delay.value(zone)) == (30, 5)


@pytest.mark.parametrize("text", ["0", "x", "", "1.5", "2147483648", "9" * 19])
def test_a_value_of_another_type_or_beyond_its_bounds_is_refused(delay, text):
    with pytest.raises(InvalidParameter, match="^value: test.delay"):
        delay.read(text)
    assert Value.objects.count() == 0


def test_a_setting_has_a_maximum_of_its_own():
    share = Setting("test.share", 0.5, help_text="for tests", maximum=1)
    del SETTINGS["test.share"]

    with pytest.raises(InvalidParameter, match="^value: test.share must be 1 or less$"):
        share.read("1.01")
    assert share.read("1") == 1.0


def test_a_name_is_declared_once(delay):
    with pytest.raises(TypeError):
        Setting("test.delay", 1, help_text="again")


def test_who_wants_to_hear_of_a_change_hears_of_it_when_the_new_value_holds(monkeypatch, delay):
    heard = []
    monkeypatch.setattr(ports.setting_changed, "_answers", [(0, lambda name: heard.append((name, delay.value())))])

    STORE.store("test.delay", "30")

    assert heard == [("test.delay", 30)]


def test_a_database_that_is_gone_leaves_what_was_known(delay, monkeypatch):
    STORE.store("test.delay", "30")
    assert delay.value() == 30

    def fail(*names):
        raise OperationalError("gone")

    monkeypatch.setattr(Value.objects, "values_list", fail)
    STORE.forget()

    assert delay.value() == 30
