"""Books of infrastructure that nothing above keeps."""

from collections.abc import Iterator

from django.db.models import F

from apps.core.audit import audit
from apps.infrastructure.models import Host


@audit("hosts: nothing promised is negative or more than there is")
def promised() -> Iterator[str]:
    hosts = Host.including_removed
    for column, total in (("memory_mib_used", "memory_mib_capacity"), ("cpu_mhz_used", "cpu_mhz_capacity")):
        wrong = hosts.filter(**{f"{column}__lt": 0}) | hosts.filter(removed=None, **{f"{column}__gt": F(total)})
        for name, used in wrong.values_list("name", column):
            yield f"host {name}: {column} is {used}"
