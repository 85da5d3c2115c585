"""Books of machines of the system."""

from collections.abc import Iterator

from apps.appliances.models import Router
from apps.core.audit import audit
from apps.infrastructure.models import PodAddress
from apps.machines.models import VirtualMachine


@audit("routers: each belongs to a network that lives, and knows no later document than there is")
def routers() -> Iterator[str]:
    rows = Router.objects.select_related("vm", "network")
    for router in rows.filter(vm__removed=None, network=None):
        yield f"router {router.vm.instance_name} has no network"
    for router in rows.exclude(network=None).exclude(network__removed=None):
        yield f"router {router.vm.instance_name} is of a network that was deleted"
    for router in rows.exclude(network=None):
        if router.network and router.applied > router.network.generation:
            yield f"router {router.vm.instance_name} has a later document than its network"


@audit("pods: management addresses are held by machines that live")
def pod_addresses() -> Iterator[str]:
    living = {
        f"machines.virtualmachine:{key}"
        for key in VirtualMachine.all_tenants.exclude(kind="User").values_list("pk", flat=True)
    }
    for ip, holder in PodAddress.objects.exclude(taken_by="").values_list("ip", "taken_by"):
        if holder not in living:
            yield f"address {ip} is held by {holder}, which is gone"
