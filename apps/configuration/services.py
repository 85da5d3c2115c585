"""Every write of a setting: checked as the code that reads it will read it, sealed where it is secret, and with a name
to it.
"""

from typing import Any

from apps.configuration.catalogue import Known, as_text
from apps.configuration.places import GLOBALLY, Place, kind_of, kinds_for, wire_name
from apps.configuration.store import STORE
from apps.core import secret
from apps.core.callers import Caller
from apps.core.errors import InvalidParameter


def place_of(known: Known, row: Any | None) -> Place:
    """Where the value is kept; refuses a row of a kind at which this setting has none."""
    if row is None:
        return GLOBALLY
    kinds = kinds_for(known.setting)
    if (kind := kind_of(row)) not in kinds:
        allowed = ", ".join(wire_name(each) for each in kinds) or "Global"
        raise InvalidParameter(f"Invalid scope {wire_name(kind)} for the setting {known.name}: it has {allowed}")
    return kind, row.pk


def write(*, caller: Caller, known: Known, text: str, row: Any | None = None) -> None:
    (kind, key), setting = place_of(known, row), known.setting
    value = as_text(setting.read(text))
    stored = secret.seal(value) if setting.secret and value else value
    STORE.store(setting.name, stored, kind=kind, row_id=key, by=name_of(caller))


def reset(*, known: Known, row: Any | None = None) -> None:
    kind, key = place_of(known, row)
    STORE.remove(known.name, kind=kind, row_id=key)


def name_of(caller: Caller) -> str:
    who = caller.user.username if caller.user else caller.account.name
    return f"{caller.account.domain.wire_path}/{who}"[:255]
