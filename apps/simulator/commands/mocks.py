from typing import Any

from apps.core.callers import ROOT, Access
from apps.core.commands import NO_EVENT, Command, command
from apps.core.errors import InvalidParameter
from apps.core.refs import Ref
from apps.core.responses import Computed, Field, Response
from apps.core.wire import Int, Long, Str
from apps.simulator.models import Fault
from apps.simulator.services import mocks


def if_any(key: int) -> int | None:
    return key or None


def if_counted(times: int) -> int | None:
    return None if times < 0 else times


class MockResponse(Response):
    """Its id on the wire is a number, no uuid, and so are those of the places."""

    wire_name = "simulatormock"
    model = "simulator.Fault"

    id = Field("pk", type="long")
    name = Field()
    value = Field(help_text="what happens to the call")
    count = Computed(("times",), if_counted, type="integer", help_text="how many more calls; absent: all")
    zoneid = Computed(("zone",), if_any, type="long")
    podid = Computed(("pod",), if_any, type="long")
    clusterid = Computed(("cluster",), if_any, type="long")
    hostid = Computed(("host",), if_any, type="long")


def place(label: str, name: str) -> Ref:
    return Ref(f"infrastructure.{label}", Access.OPERATE, source=name, help_text=f"only for hosts of this {name}")


@command("configureSimulator", roles=ROOT, event=NO_EVENT, response=MockResponse)
class ConfigureSimulator(Command):
    """Lets calls of simulated hosts be slow, fail, time out, or act and time out all the same."""

    name = Str(required=True, help_text="the call: power.start, disks.create, ..., * for all of them")
    value = Str(
        required=True, help_text="what happens: wait:MS, fault:refused|busy|lost|acted|late, after:MS, percent:N"
    )
    zoneid, podid = place("Zone", "zone"), place("Pod", "pod")
    clusterid = place("Cluster", "cluster")
    hostid = Ref("infrastructure.Host", Access.OPERATE, source="host", help_text="only for this host")
    count = Int(min_value=1, source="times", help_text="for so many calls; for all if absent")
    jsonresponse = Str(length=4096, source="answer", help_text="a failed answer, in place of fault:refused")

    def run(self, **values: Any) -> Fault:
        return mocks.configure(**values)


@command("querySimulatorMock", roles=ROOT, response=MockResponse)
class QuerySimulatorMock(Command):
    """Tells what was set for simulated calls: the one with this number, or all."""

    changes = False

    id = Long(source="key", help_text="its number")

    def run(self, key: int | None = None) -> Any:
        if key is not None:
            row = Fault.objects.filter(pk=key).first()
            if row is None:
                raise InvalidParameter(f"id: nothing is set under number {key}")
            return row
        keys = list(Fault.objects.order_by("pk").values_list("pk", flat=True))
        return {"count": len(keys), "simulatormock": MockResponse.of(self.caller, keys)} if keys else {}


@command("cleanupSimulatorMock", roles=ROOT, event=NO_EVENT, response=None)
class CleanupSimulatorMock(Command):
    """Takes back what was set for simulated calls: the one with this number, or all."""

    id = Long(source="key", help_text="its number")

    def run(self, key: int | None = None) -> None:
        mocks.remove(key)
