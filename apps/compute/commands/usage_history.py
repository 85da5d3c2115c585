from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from apps.compute.commands.responses import percent
from apps.core.callers import USER
from apps.core.commands import command
from apps.core.errors import InvalidParameter
from apps.core.keys import Keys
from apps.core.lists import ListCommand
from apps.core.responses import Batch, Field, Response, wire_date
from apps.core.wire import Date
from apps.machines.models import LoadSample

MOST = 100_000  # samples of one answer


class UsageHistoryResponse(Response):
    wire_name, model = "virtualmachine", "machines.VirtualMachine"

    id = Field("uuid")
    name = Field()
    displayname = Field("display_name")
    stats = Batch(lambda keys: {}, {"stats": "list"}, help_text="what it used, a sample each, the oldest first")


@command("listVirtualMachinesUsageHistory", roles=USER, response=UsageHistoryResponse)
class ListVirtualMachinesUsageHistory(ListCommand):
    """Lists what instances used, as far back as it is kept."""

    model = "machines.VirtualMachine"
    has_ids = True
    filters = {"name": "name"}
    keyword_in = ("name", "display_name")
    startdate = Date(source="start", help_text="samples since then")
    enddate = Date(source="end", help_text="samples until then")

    def narrow(self, rows: Any, given: dict[str, Any]) -> Any:
        self.span = {"at__gte": given.get("start"), "at__lte": given.get("end")}
        return rows

    def answers(self, keys: Sequence[int], details: list[str] | None) -> list[dict[str, Any]]:
        samples = self._samples(keys)
        found = super().answers(keys, details)
        return [answer | {"stats": samples[key]} for key, answer in zip(keys, found, strict=True)]

    def _samples(self, keys: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        span = {name: moment for name, moment in self.span.items() if moment}
        rows = LoadSample.objects.filter(vm__among=Keys(keys), **span).order_by("vm_id", "at")[: MOST + 1]
        if len(rows) > MOST:
            raise InvalidParameter(
                f"startdate: there are more than {MOST} samples; name a later date, or fewer instances"
            )
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            found[row.vm_id].append(said(row))
        return found


def said(sample: LoadSample) -> dict[str, Any]:
    received, sent = sample.received_bytes >> 10, sample.sent_bytes >> 10
    share = percent(sample.cpu_percent)
    return ({"cpuused": share} if share else {}) | {
        "timestamp": wire_date(sample.at),
        "memorykbs": sample.memory_kib,
        "networkkbsread": received,
        "networkkbswrite": sent,
        "networkread": f"{received / 1024:.2f} MB",
        "networkwrite": f"{sent / 1024:.2f} MB",
        "diskkbsread": sample.read_bytes >> 10,
        "diskkbswrite": sample.written_bytes >> 10,
        "diskioread": sample.read_requests,
        "diskiowrite": sample.write_requests,
        "diskiopstotal": sample.read_requests + sample.write_requests,
    }
