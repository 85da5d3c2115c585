"""What changes about a machine that exists, without touching a host: it holds from the next start."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.compute.services import details, groups, keys, names, passwords, security, sizes, userdata
from apps.core.errors import InvalidParameter
from apps.core.ownership import resize
from apps.core.retry import atomically
from apps.machines.models import VirtualMachine
from apps.network.models import Network
from apps.network.services import addressing
from apps.offerings.models import ServiceOffering

S = VirtualMachine.State
AS_IT_IS = ("offering_id", "cpus", "memory_mib", "is_counted")  # what may have changed since the row was read


@atomically
def update(*, vm: VirtualMachine, group: str | None = None, columns: dict[str, Any]) -> VirtualMachine:
    if vm.state in (S.EXPUNGING, S.ERROR):
        raise InvalidParameter(f"id: instance {vm.uuid} is {vm.state}")
    if "user_data" in columns:
        columns["user_data"] = userdata.checked(columns["user_data"])
    if columns.get("is_dynamically_scalable") and not vm.offering.dynamic_scaling:
        raise InvalidParameter(f"isdynamicallyscalable: offering {vm.offering.name} does not allow it")
    is_renamed = columns.get("name", vm.name) != vm.name
    is_told = is_renamed or columns.get("user_data", vm.user_data) != vm.user_data
    for name, value in columns.items():
        setattr(vm, name, value)
    if columns:
        vm.save(update_fields=[*columns, "updated"])
    if is_told:
        networks = _retell(vm)
        if is_renamed:
            names.check(vm.name, networks, besides=vm.pk)
    if group is not None:
        groups.put(vm, group)
    return vm


def _retell(vm: VirtualMachine) -> list[Network]:
    """Name servers know it by its name, and it asks the routers of its networks what it is."""
    networks = list(Network.all_tenants.filter(nics__vm=vm, nics__removed=None).distinct().order_by("pk"))
    for network in networks:
        addressing.changed(network.pk)
    return networks


@atomically
def replace_details(*, vm: VirtualMachine, given: Mapping[str, str] | None, is_cleaned: bool, by_root: bool) -> None:
    if is_cleaned and given:
        raise InvalidParameter("cleanupdetails and details cannot be given together")
    if is_cleaned or given is not None:
        details.replace(vm, details.checked(given or {}, by_root), by_root)


@atomically
def replace_security_groups(*, vm: VirtualMachine, groups: Sequence[Any] | None, names: Sequence[str] | None) -> None:
    if groups is not None or names is not None:
        security.replace(vm, groups or (), names or ())


def hold_stopped(vm: VirtualMachine, what: str) -> None:
    """The row is held until the transaction ends: nobody starts the machine before, and who was faster is seen."""
    now = VirtualMachine.all_tenants.select_for_update().filter(pk=vm.pk).first()
    if now is None or now.state != S.STOPPED:
        raise InvalidParameter(f"id: instance {vm.uuid} is {now.state if now else 'gone'}: stop it before {what}")
    for name in AS_IT_IS:
        setattr(vm, name, getattr(now, name))


@atomically
def change_offering(*, vm: VirtualMachine, offering: ServiceOffering, given: Mapping[str, str]) -> VirtualMachine:
    hold_stopped(vm, "changing its offering")
    _check_change(vm, offering)
    values = sizes.of(offering, given)
    for column in ("cpus", "memory_mib"):
        if values[column] != getattr(vm, column):
            resize(vm, column, values[column])
    vm.offering, vm.speed_mhz, vm.ha_enabled = offering, values["speed_mhz"], offering.offer_ha
    vm.is_dynamically_scalable = vm.is_dynamically_scalable and offering.dynamic_scaling
    vm.save(update_fields=["offering", "speed_mhz", "ha_enabled", "is_dynamically_scalable", "updated"])
    return vm


def _check_change(vm: VirtualMachine, offering: ServiceOffering) -> None:
    sizes.check_offering(offering, vm.zone)
    is_fixed = None not in (offering.cpus, offering.speed_mhz, offering.memory_mib)
    if offering.pk == vm.offering_id and is_fixed:
        raise InvalidParameter(f"serviceofferingid: instance {vm.uuid} has offering {offering.name} already")
    if offering.storage_type != vm.offering.storage_type:
        raise InvalidParameter(f"serviceofferingid: offering {offering.name} is for another kind of primary storage")


def scale(*, vm: VirtualMachine, offering: ServiceOffering, given: Mapping[str, str]) -> VirtualMachine:
    if vm.state == S.RUNNING:
        raise InvalidParameter(
            f"id: instance {vm.uuid} runs, and no hypervisor here changes its size then: stop it first"
        )
    return change_offering(vm=vm, offering=offering, given=given)


@atomically
def reset_password(*, vm: VirtualMachine, password: str | None) -> VirtualMachine:
    hold_stopped(vm, "resetting its password")
    if vm.template is None or not vm.template.password_enabled:
        raise InvalidParameter(f"id: the template of instance {vm.uuid} does not take passwords")
    vm.password, vm.password_told = passwords.sealed_for(vm.template, password), True
    vm.save(update_fields=["password", "password_told", "updated"])
    _retell(vm)
    return vm


@atomically
def reset_keys(*, vm: VirtualMachine, names: Sequence[str], owner: Any) -> VirtualMachine:
    hold_stopped(vm, "changing its SSH keys")
    if not names:
        raise InvalidParameter("keypair: say which key pair the instance shall have")
    keys.replace(vm, names, owner)
    _retell(vm)
    return vm


@atomically
def reset_user_data(*, vm: VirtualMachine, user_data: str) -> VirtualMachine:
    hold_stopped(vm, "changing its user data")
    vm.user_data = userdata.checked(user_data)
    vm.save(update_fields=["user_data", "updated"])
    _retell(vm)
    return vm
