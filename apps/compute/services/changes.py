"""What changes about a machine that exists, without touching a host: it holds from the next start."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.compute.services import details, groups, keys, names, passwords, sizes, userdata
from apps.core.errors import InvalidParameter
from apps.core.ownership import resize
from apps.core.retry import atomically
from apps.machines.models import VirtualMachine
from apps.network.models import Network
from apps.offerings.models import ServiceOffering

S = VirtualMachine.State


@atomically
def update(*, vm: VirtualMachine, group: str | None, columns: dict[str, Any]) -> VirtualMachine:
    if vm.state in (S.EXPUNGING, S.ERROR):
        raise InvalidParameter(f"id: instance {vm.uuid} is {vm.state}")
    if "name" in columns:
        names.check(columns["name"], list(Network.all_tenants.filter(nics__vm=vm, nics__removed=None)), besides=vm.pk)
    if "user_data" in columns:
        columns["user_data"] = userdata.checked(columns["user_data"])
    if columns.get("is_dynamically_scalable") and not vm.offering.dynamic_scaling:
        raise InvalidParameter(f"isdynamicallyscalable: offering {vm.offering.name} does not allow it")
    for name, value in columns.items():
        setattr(vm, name, value)
    if columns:
        vm.save(update_fields=[*columns, "updated"])
    if group is not None:
        groups.put(vm, group)
    return vm


@atomically
def replace_details(*, vm: VirtualMachine, given: Mapping[str, str] | None, is_cleaned: bool, by_root: bool) -> None:
    if is_cleaned and given:
        raise InvalidParameter("cleanupdetails and details cannot be given together")
    if is_cleaned or given is not None:
        details.replace(vm, details.checked(given or {}, by_root))


def _stopped(vm: VirtualMachine, what: str) -> None:
    if vm.state != S.STOPPED:
        raise InvalidParameter(f"id: instance {vm.uuid} is {vm.state}: stop it before {what}")


@atomically
def change_offering(*, vm: VirtualMachine, offering: ServiceOffering, given: Mapping[str, str]) -> VirtualMachine:
    _stopped(vm, "changing its offering")
    sizes.check_offering(offering, vm.zone)
    values = sizes.of(offering, given)
    if offering.storage_type != vm.offering.storage_type:
        raise InvalidParameter(f"serviceofferingid: offering {offering.name} is for another kind of primary storage")
    details.checked(given, by_root=False)
    for column in ("cpus", "memory_mib"):
        if values[column] != getattr(vm, column):
            resize(vm, column, values[column])
    vm.offering, vm.speed_mhz, vm.ha_enabled = offering, values["speed_mhz"], offering.offer_ha
    vm.save(update_fields=["offering", "speed_mhz", "ha_enabled", "updated"])
    return vm


def reset_password(*, vm: VirtualMachine, password: str | None) -> VirtualMachine:
    _stopped(vm, "resetting its password")
    if vm.template is None or not vm.template.password_enabled:
        raise InvalidParameter(f"id: the template of instance {vm.uuid} does not take passwords")
    vm.password = passwords.sealed_for(vm.template, password)
    vm.save(update_fields=["password", "updated"])
    return vm


def reset_keys(*, vm: VirtualMachine, names: Sequence[str], owner: Any) -> VirtualMachine:
    _stopped(vm, "changing its SSH keys")
    if not names:
        raise InvalidParameter("keypair: say which key pair the instance shall have")
    keys.replace(vm, names, owner)
    return vm


def reset_user_data(*, vm: VirtualMachine, user_data: str) -> VirtualMachine:
    _stopped(vm, "changing its user data")
    vm.user_data = userdata.checked(user_data)
    vm.save(update_fields=["user_data", "updated"])
    return vm
