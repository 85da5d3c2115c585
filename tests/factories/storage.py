from itertools import count

from apps.storage.models import StoragePool, StoragePoolTag

NUMBER = count(1)
TIB = 1 << 40


def pool(make, owner=None, tags="", *, cluster=None, host=None, zone=None, size=TIB, **kw):
    """Of a cluster, of a host, or of the whole zone; ``size`` of it may be promised."""
    row = host or cluster
    where = {"zone": row.zone if row else zone or make.zone()}
    if host is not None:
        where |= {"scope": "HOST", "place": f"host:{host.pk}", "host": host, "cluster": host.cluster, "pod": host.pod}
    elif cluster is not None:
        where |= {"scope": "CLUSTER", "place": f"cluster:{cluster.pk}", "cluster": cluster, "pod": cluster.pod}
    else:
        where |= {"scope": "ZONE", "place": f"zone:{where['zone'].pk}"}
    sizes = {"size_bytes": size, "capacity_bytes": 2 * size, "placement_bytes": size}
    number = next(NUMBER)
    values = {"name": f"pool{number}", "url": f"nfs://10.0.0.1/{number}", "path": f"/{number}", "hypervisor": "Fake"}
    made = StoragePool(**(values | sizes | where | kw))
    made.save()
    StoragePoolTag.objects.bulk_create([StoragePoolTag(pool=made, tag=tag) for tag in tags.split(",") if tag])
    return made


ROWS = {"storage.Volume": lambda make, owner: make.volume(owner), "storage.StoragePool": pool}
