"""What a machine used lately, as charts. Written by hand: no table of samples would be read."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from apps.portal import looks
from apps.portal.components import Chart
from apps.portal.frame.detail import Card
from apps.portal.visits import Row

Text = str | Promise
HOURS = (1, 3, 12)
POINTS = 120  # of a line that is 300 wide
LEAST = 3  # samples that make a line


class LoadCard(Card):
    """Of anything that is measured: whose samples they are, and which charts they make, is said by those below it."""

    template = "portal/compute/load.html"
    title = gettext_lazy("Load")
    across = 2

    @property
    def is_shown(self) -> bool:
        """Not where nothing is measured; whoever chose a time when nothing was has a way back."""
        return self.is_drawn or "hours" in self.visit.request.GET

    @property
    def is_drawn(self) -> bool:
        return len(self.samples) >= LEAST

    @cached_property
    def hours(self) -> int:
        asked = self.visit.request.GET.get("hours", "")
        return int(asked) if asked in map(str, HOURS) else 3

    command = ""  # that tells samples since a date

    @cached_property
    def samples(self) -> list[Row]:
        if not self.visit.may(self.command):
            return []
        since = timezone.now() - timedelta(hours=self.hours)
        rows = self.visit.list(self.command, id=self.row["id"], startdate=f"{since:%Y-%m-%dT%H:%M:%S+0000}").rows
        return list(rows[0]["stats"]) if rows else []

    @property
    def ranges(self) -> list[tuple[Text, str, bool]]:
        return [(pgettext("duration", "%s h") % n, f"?hours={n}", n == self.hours) for n in HOURS]

    @property
    def charts(self) -> list[Chart]:
        raise NotImplementedError

    @property
    def shares(self) -> list[float]:
        """Of samples that know it: the first one after a start says nothing of how long it took."""
        known = [float(each["cpuused"].rstrip("%")) for each in self.samples if "cpuused" in each]
        return known or [0.0]

    def share_chart(self) -> Chart:
        return self.chart(_("Processor"), f"{looks.number(self.shares[-1], 1)} %", self.shares, 100)

    def rate_chart(self, title: Text, *names: str) -> Chart:
        """Of these together."""
        points = [sum(values) for values in zip(*map(self._rates, names), strict=True)]
        return self.chart(title, _rate(points[-1]), points)

    def _rates(self, name: str) -> list[float]:
        """KiB a second; the first sample says nothing of how long it took, so it is left out."""
        times = [looks.when(each["timestamp"]) for each in self.samples]
        pairs = zip(times, times[1:], self.samples[1:], strict=False)
        return [each[name] / max((end - begin).total_seconds(), 1.0) for begin, end, each in pairs if begin and end]

    def chart(self, title: Text, value: Text, points: Sequence[float], top: float = 0) -> Chart:
        thin = _thinned(points)
        return Chart(title=title, value=value, points=thin, top=top or max(*thin, 1.0) * 1.1, times=self.times)

    @cached_property
    def times(self) -> list[str]:
        """Four of them below each line, in the visitor's zone."""
        each = self.samples
        chosen = [each[len(each) * at // 3 - (1 if at == 3 else 0)] for at in range(4)]
        return [f"{timezone.localtime(at):%H:%M}" for sample in chosen if (at := looks.when(sample["timestamp"]))]


class MachineLoad(LoadCard):
    command = "listVirtualMachinesUsageHistory"

    @cached_property
    def charts(self) -> list[Chart]:
        memory = self.row.get("memory") or 0
        held = [each["memorykbs"] / 1024 for each in self.samples]
        of_memory = _("%(used)s of %(all)s") % {"used": looks.mib(round(held[-1])), "all": looks.mib(memory)}
        return [
            self.share_chart(),
            self.chart(_("Memory in use"), of_memory, held, memory),
            self.rate_chart(_("Network in"), "networkkbsread"),
            self.rate_chart(_("Disk writes"), "diskkbswrite"),
        ]


def _thinned(points: Sequence[float]) -> list[float]:
    """The greatest of each stretch: a peak is what one looks for."""
    if len(points) <= POINTS:
        return list(points)
    step = len(points) / POINTS
    return [max(points[int(at * step) : max(int((at + 1) * step), int(at * step) + 1)]) for at in range(POINTS)]


def _rate(kib: float) -> str:
    return _("%(size)s/s") % {"size": looks.size(round(kib * 1024))}
