"""What must be true of settings: whatever is stored can be read by the code that will read it."""

from collections.abc import Iterator

from cryptography.fernet import InvalidToken

from apps.configuration.catalogue import known
from apps.configuration.models import Value
from apps.configuration.places import LABELS
from apps.configuration.store import Store, Stored
from apps.core.audit import audit
from apps.core.errors import InvalidParameter


@audit("configuration: stored values are of known settings, and can be read")
def readable() -> Iterator[str]:
    for value in Value.objects.order_by("name", "kind", "row_id"):
        if value.name not in known():
            yield f"{value.name}: no such setting"
        elif value.kind not in ("", *LABELS):
            yield f"{value.name}: no such scope as {value.kind}"
        elif not _reads(value):
            yield f"{value.name}: its value is not of its type, or was sealed with a key that is gone"


def _reads(value: Value) -> bool:
    setting = known()[value.name].setting
    try:
        setting.read(Store.plain(setting, Stored(value.value, value.updated, value.updated_by)))
    except (InvalidParameter, InvalidToken):
        return False
    return True
