"""Free details of machines, and which of them are the operator's."""

from collections.abc import Mapping

from apps.core.errors import InvalidParameter
from apps.core.models import Detail
from apps.core.settings import Setting
from apps.machines.models import VirtualMachine

KIND = VirtualMachine._meta.label_lower
DENIED = Setting(
    "user.vm.denied.details",
    "rootdisksize, cpuOvercommitRatio, memoryOvercommitRatio, Message.ReservedCapacityFreed.Flag",
    help_text="Details that only administrators may set.",
)
READONLY = Setting(
    "user.vm.readonly.details",
    "dataDiskController, rootDiskController",
    help_text="Details that users see and only administrators may set.",
)
SIZES = {"cpunumber": "cpus", "cpuspeed": "speed_mhz", "memory": "memory_mib"}
KEYS, PUBLIC_KEY, KEYBOARD = "SSH.KeyPairNames", "SSH.PublicKey", "keyboard"
PASSWORD = "Encrypted.Password"  # noqa: S105 - a name; for the holder of the key
OURS = frozenset({KEYS, PUBLIC_KEY, PASSWORD})


def words(setting: Setting[str]) -> set[str]:
    return {word.strip().lower() for word in setting.value().split(",") if word.strip()}


def forbidden(by_root: bool) -> set[str]:
    """Names, in lower case, that this caller neither sets nor removes."""
    return {name.lower() for name in OURS} | (set() if by_root else words(DENIED) | words(READONLY))


def checked(given: Mapping[str, str], by_root: bool) -> dict[str, str]:
    """Without the sizes, which are columns."""
    left = {name: value for name, value in given.items() if name.lower() not in SIZES}
    for name in left:
        if name.lower() in forbidden(by_root):
            raise InvalidParameter(f"details: {name} is set by the system or its administrators")
        if not name or len(name) > 255:
            raise InvalidParameter("details: a name has from 1 to 255 characters")
    return left


def store(vm: VirtualMachine, values: Mapping[str, str], display: bool = True) -> None:
    rows = [Detail(kind=KIND, row_id=vm.pk, name=n, value=v, display=display) for n, v in values.items()]
    if rows:
        Detail.objects.bulk_create(rows)


def replace(vm: VirtualMachine, values: Mapping[str, str], by_root: bool) -> None:
    """Those that this caller may set; the others stay."""
    kept = forbidden(by_root)
    rows = Detail.objects.filter(kind=KIND, row_id=vm.pk).values_list("pk", "name")
    Detail.objects.filter(pk__in=[key for key, name in rows if name.lower() not in kept]).delete()
    store(vm, values)


def put(vm: VirtualMachine, name: str, value: str, display: bool = True) -> None:
    Detail.objects.update_or_create(kind=KIND, row_id=vm.pk, name=name, defaults={"value": value, "display": display})


def drop(vm: VirtualMachine, *names: str) -> None:
    Detail.objects.filter(kind=KIND, row_id=vm.pk, name__in=names).delete()


def sizes(given: Mapping[str, str]) -> dict[str, int]:
    """cpuNumber, cpuSpeed and memory of a custom offering, by column."""
    found = {}
    for name, value in given.items():
        if column := SIZES.get(name.lower()):
            if not value.isdecimal() or not 0 < int(value) < 1 << 31:
                raise InvalidParameter(f"details: {name} is a positive number, not {value!r}")
            found[column] = int(value)
    return found
