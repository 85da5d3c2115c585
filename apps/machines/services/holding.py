"""A machine that stays as it was read until a transaction ends."""

from apps.core.errors import ResourceInUse
from apps.machines.models import VirtualMachine


def hold(vm: VirtualMachine) -> None:
    """Nobody changes its state or its owner before this transaction ends; who did since it was read was faster."""
    same = VirtualMachine.all_tenants.select_for_update().filter(pk=vm.pk, state=vm.state, owner=vm.owner_id)
    if same.values_list("pk", flat=True).first() is None:
        raise ResourceInUse(f"instance {vm.uuid} was changed by somebody else meanwhile")
