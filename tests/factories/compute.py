from itertools import count

from apps.compute.models import AffinityGroup
from apps.compute.services import affinity, groups

NUMBER = count(1)


def group(make, owner):
    return groups.create(owner=owner, name=f"group{next(NUMBER)}")


def affinity_group(make, owner):
    return affinity.create(owner=owner, name=f"affinity{next(NUMBER)}", kind=AffinityGroup.Kind.ANTI_AFFINITY)


ROWS = {"compute.InstanceGroup": group, "compute.AffinityGroup": affinity_group}
