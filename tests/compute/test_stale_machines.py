import pytest

from apps.compute.services import changes
from apps.core.errors import InvalidParameter
from apps.limits.models import Counter
from apps.machines.models import VirtualMachine
from apps.offerings.models import ServiceOffering


def test_an_offering_is_changed_from_what_the_machine_has_now(world):
    vm, big = world.deploy(startvm=False), ServiceOffering(name="big", cpus=2, memory_mib=700)
    big.save()
    stale = VirtualMachine.all_tenants.select_related("owner__domain", "offering", "zone").get(pk=vm.pk)
    world.do("changeServiceForVirtualMachine", id=vm.uuid, serviceofferingid=big)

    with pytest.raises(InvalidParameter, match="has offering big already"):
        changes.change_offering(vm=stale, offering=big, given={})
    changes.change_offering(vm=stale, offering=world.small, given={})

    used = dict(Counter.objects.filter(account=world.alice.account).values_list("kind", "used"))
    assert (used["cpu"], used["memory"]) == (world.small.cpus, world.small.memory_mib)
