from itertools import count

from apps.compute.models import AffinityGroup
from apps.compute.services import affinity, groups
from apps.machines.services import nics

NUMBER = count(1)


def nic(make, owner):
    return nics.allocate(make.vm(owner), make.shared_network(), device_id=0, is_default=True)


def group(make, owner):
    return groups.create(owner=owner, name=f"group{next(NUMBER)}")


def affinity_group(make, owner):
    return affinity.create(owner=owner, name=f"affinity{next(NUMBER)}", kind=AffinityGroup.Kind.ANTI_AFFINITY)


ROWS = {"machines.Nic": nic, "compute.InstanceGroup": group, "compute.AffinityGroup": affinity_group}
