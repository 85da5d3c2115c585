from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from apps.core.callers import ROOT, Access, Kind
from apps.core.commands import NO_EVENT, AsyncCommand, Command, command
from apps.core.errors import InvalidParameter
from apps.core.keys import Keys
from apps.core.lists import ListCommand
from apps.core.refs import Ref, RefFilter
from apps.core.responses import Computed, Field, Response, wire_date
from apps.core.wire import Bool, Date, List, Str
from apps.infrastructure.commands.responses import ClusterResponse, HostResponse, share
from apps.infrastructure.commands.zones import WithCapacities, allocation
from apps.infrastructure.flows.maintenance import MAINTENANCE, Maintenance
from apps.infrastructure.models import Cluster, Host, HostLoadSample, HostTag, Pod, Zone
from apps.infrastructure.services import hosts
from apps.jobs.flows import begin

ADMIN = ROOT | Kind.RESOURCE_ADMIN
MOST_SAMPLES = 100_000  # of one answer
TYPES = ("CloudManaged", "ExternalManaged")


def pod_and_zone() -> dict[str, Ref]:
    return {
        "zoneid": Ref("infrastructure.Zone", Access.OPERATE, source="zone", required=True, help_text="the zone"),
        "podid": Ref("infrastructure.Pod", Access.OPERATE, source="pod", required=True, help_text="the pod"),
    }


@command("addCluster", roles=ROOT, event=NO_EVENT, response=ClusterResponse)
class AddCluster(Command):
    """Adds a cluster to a pod."""

    zoneid, podid = pod_and_zone().values()
    clustername = Str(required=True, source="name", help_text="the name, unique in its pod")
    clustertype = Str(required=True, choices=TYPES, source="cluster_type", help_text="CloudManaged or ExternalManaged")
    hypervisor = Str(required=True, choices=hosts.HYPERVISORS, help_text="of all its hosts")
    allocationstate = allocation()
    arch = Str(choices=("x86_64", "aarch64", "s390x"), help_text="architecture of its hosts")

    def run(self, **values: Any) -> list[Cluster]:
        if values["cluster_type"] != "CloudManaged":
            raise InvalidParameter("clustertype: clusters that another system manages are not supported here")
        return [hosts.create_cluster(**values)]


@command("updateCluster", roles=ROOT, event=NO_EVENT, response=ClusterResponse)
class UpdateCluster(Command):
    """Changes a cluster."""

    id = Ref("infrastructure.Cluster", Access.OPERATE, source="cluster", required=True, help_text="the cluster")
    clustername = Str(source="name", help_text="the new name")
    clustertype = Str(choices=TYPES[:1], source="cluster_type", help_text="CloudManaged")
    hypervisor = Str(choices=hosts.HYPERVISORS, help_text="of its hosts, while it has none")
    managedstate = Str(choices=("Managed", "Unmanaged"), source="managed_state", help_text="Managed or Unmanaged")
    allocationstate = allocation()
    arch = Str(choices=("x86_64", "aarch64", "s390x"), help_text="architecture of its hosts")

    def run(self, cluster: Cluster, **values: Any) -> Cluster:
        return hosts.update_cluster(cluster=cluster, **values)


@command("deleteCluster", roles=ROOT, event=NO_EVENT, response=None)
class DeleteCluster(Command):
    """Deletes a cluster that has no hosts and no storage."""

    id = Ref("infrastructure.Cluster", Access.OPERATE, source="cluster", required=True, help_text="the cluster")

    def run(self, cluster: Cluster) -> None:
        hosts.delete_cluster(cluster=cluster)


@command("listClusters", roles=ADMIN, response=ClusterResponse)
class ListClusters(WithCapacities):
    """Lists clusters."""

    model = "infrastructure.Cluster"
    keyword_in = ("name", "hypervisor")
    filters = {
        "name": "name",
        "allocationstate": "allocation_state",
        "arch": "arch",
        "clustertype": "cluster_type",
        "hypervisor": "hypervisor",
        "managedstate": "managed_state",
        "podid": RefFilter("infrastructure.Pod", "pod"),
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
    }


@command("addHost", roles=ROOT, event=NO_EVENT, response=HostResponse)
class AddHost(Command):
    """Adds a host to a cluster, when it has said what it is."""

    zoneid, podid = pod_and_zone().values()
    clusterid = Ref("infrastructure.Cluster", Access.OPERATE, source="cluster", help_text="the cluster")
    clustername = Str(
        source="cluster_name", help_text="the cluster by its name, in place of clusterid; made if there is none"
    )
    hypervisor = Str(required=True, choices=hosts.HYPERVISORS, help_text="what runs there")
    url = Str(
        required=True, help_text="where it is: http://host; any URL that begins with http://sim is a simulated one"
    )
    username = Str(help_text="the user to log in there with")
    password = Str(secret=True, help_text="the password of that user")
    hosttags = List(source="tags", help_text="tags that offerings ask for")
    allocationstate = allocation()

    def prepare(self, zone: Zone, hypervisor: str, url: str, **values: Any) -> dict[str, Any]:
        """What can be refused is refused before the host is touched."""
        self._check(zone=zone, hypervisor=hypervisor, **values)
        login = {name: values[name] for name in ("username", "password") if name in values}
        return {"joined": hosts.join(hypervisor=hypervisor, zone=zone, url=url, **login)}

    def run(self, zone: Zone, pod: Pod, hypervisor: str, **values: Any) -> list[Host]:
        cluster, name = values.pop("cluster", None), values.pop("cluster_name", "")
        cluster = cluster or hosts.named_cluster(zone=zone, pod=pod, name=name, hypervisor=hypervisor)
        self._check(zone=zone, pod=pod, hypervisor=hypervisor, cluster=cluster)
        return hosts.add(zone=zone, pod=pod, cluster=cluster, **values)

    @staticmethod
    def _check(
        *,
        zone: Zone,
        pod: Pod,
        hypervisor: str,
        cluster: Cluster | None = None,
        cluster_name: str = "",
        **values: Any,
    ) -> None:
        if cluster is None and not cluster_name:
            raise InvalidParameter("clusterid or clustername must name the cluster of the host")
        found = cluster or Cluster.all_tenants.filter(pod=pod, name=cluster_name).first()
        hosts.check_place(zone, pod, found)
        if found is not None and found.hypervisor != hypervisor:
            raise InvalidParameter(f"hypervisor: the hosts of cluster {found.name} are {found.hypervisor}")


def host_ref() -> Ref:
    return Ref("infrastructure.Host", Access.OPERATE, source="host", required=True, help_text="the host")


@command("updateHost", roles=ROOT, event=NO_EVENT, response=HostResponse)
class UpdateHost(Command):
    """Changes a host."""

    id = host_ref()
    name = Str(help_text="the new name")
    url = Str(help_text="where it is now")
    hosttags = List(source="tags", help_text="its tags from now on; empty for none")
    allocationstate = Str(choices=("Enable", "Disable"), source="event", help_text="Enable or Disable")

    def run(self, host: Host, **values: Any) -> Host:
        return hosts.update(host=host, **values)


@command("deleteHost", roles=ROOT, event=NO_EVENT, response=None)
class DeleteHost(Command):
    """Deletes a host that runs nothing."""

    id = host_ref()
    forced = Bool(default=False, help_text="also one that is not in maintenance")

    def run(self, host: Host, forced: bool) -> None:
        hosts.delete(host=host, forced=forced)


@command("updateHostPassword", roles=ROOT, event=NO_EVENT, response=None)
class UpdateHostPassword(Command):
    """Keeps another user and password for a host, or for all of a cluster."""

    hostid = Ref("infrastructure.Host", Access.OPERATE, source="host", help_text="the host")
    clusterid = Ref("infrastructure.Cluster", Access.OPERATE, source="cluster", help_text="all hosts of this cluster")
    username = Str(required=True, help_text="the user")
    password = Str(required=True, secret=True, help_text="the password")

    def run(self, username: str, password: str, host: Host | None = None, cluster: Cluster | None = None) -> None:
        if (host is None) == (cluster is None):
            raise InvalidParameter("hostid or clusterid, one of them, must say whose password changes")
        rows = Host.all_tenants.filter(pk=host.pk) if host else Host.all_tenants.filter(cluster=cluster)
        hosts.set_password(hosts=rows, username=username, password=password)


@command("reconnectHost", roles=ROOT, event="HOST.RECONNECT", response=HostResponse, locks=("host",))
class ReconnectHost(AsyncCommand):
    """Asks a host what it is, and notes whether it answers."""

    id = host_ref()

    def run(self, host: Host) -> Host:
        return hosts.reconnect(host)


@command("prepareHostForMaintenance", roles=ROOT, event="MAINT.PREPARE", response=HostResponse, locks=("host",))
class PrepareHostForMaintenance(AsyncCommand):
    """Puts a host into maintenance: it gets nothing new, and what runs there must be gone."""

    id = host_ref()

    def run(self, host: Host) -> Any:
        hosts.begin_maintenance(host=host)
        return begin(MAINTENANCE, Maintenance(host_id=host.pk))


@command("cancelHostMaintenance", roles=ROOT, event="MAINT.CANCEL", response=HostResponse, locks=("host",))
class CancelHostMaintenance(AsyncCommand):
    """Ends the maintenance of a host."""

    id = host_ref()

    def run(self, host: Host) -> Host:
        return hosts.cancel_maintenance(host=host)


@command("listHosts", roles=ADMIN, response=HostResponse)
class ListHosts(ListCommand):
    """Lists hosts."""

    model = "infrastructure.Host"
    keyword_in = ("name", "status", "type")
    details_words = ("all", "capacity", "events", "stats", "min")
    filters = {
        "name": "name",
        "arch": "cluster__arch",
        "type": "type",
        "state": "status",
        "resourcestate": "resource_state",
        "hypervisor": "hypervisor",
        "version": "hypervisor_version",
        "clusterid": RefFilter("infrastructure.Cluster", "cluster"),
        "podid": RefFilter("infrastructure.Pod", "pod"),
        "zoneid": RefFilter("infrastructure.Zone", "zone"),
        "virtualmachineid": RefFilter(
            "machines.VirtualMachine", "machines", help_text="the one that this machine is on"
        ),
        "hahost": Bool(help_text="hosts kept for high availability; there are none yet"),
    }
    startdate = Date(source="start", help_text="tell also what they used since then, a sample each")
    enddate = Date(source="end", help_text="with startdate: until then")

    def narrow(self, rows: QuerySet, given: dict[str, Any]) -> QuerySet:
        self.start, self.end = given.get("start"), given.get("end")
        return rows.none() if given.get("hahost") else rows

    def answers(self, keys: Sequence[int], details: list[str] | None) -> list[dict[str, Any]]:
        found = super().answers(keys, details)
        if self.start is None:
            return found
        samples = self._samples(keys)
        return [answer | {"stats": samples[key]} for key, answer in zip(keys, found, strict=True)]

    def _samples(self, keys: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        span = {"at__gte": self.start} | ({"at__lte": self.end} if self.end else {})
        rows = HostLoadSample.objects.filter(host__among=Keys(keys), **span).order_by("host_id", "at")
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        cut = rows[: MOST_SAMPLES + 1]
        if len(cut) > MOST_SAMPLES:
            raise InvalidParameter(
                f"startdate: there are more than {MOST_SAMPLES} samples; name a later date, or fewer hosts"
            )
        for row in cut:
            found[row.host_id].append(said(row))
        return found


def said(sample: HostLoadSample) -> dict[str, Any]:
    used = share(sample.cpu_percent)
    return ({"cpuused": used} if used else {}) | {
        "timestamp": wire_date(sample.at),
        "memoryused": sample.memory_bytes,
        "networkkbsread": sample.received_bytes >> 10,
        "networkkbswrite": sample.sent_bytes >> 10,
    }


class HostTagResponse(Response):
    wire_name = "hosttag"
    model = "infrastructure.HostTag"

    id = Field("pk", type="string")
    name = Field("tag")
    hostid = Field("host", type="long")
    isimplicit = Computed((), bool, type="boolean")


@command("listHostTags", roles=ROOT | Kind.RESOURCE_ADMIN | Kind.DOMAIN_ADMIN, response=HostTagResponse)
class ListHostTags(ListCommand):
    """Lists the tags of hosts, which offerings ask for."""

    model = "infrastructure.HostTag"
    keyword_in = ("tag",)
    id = None

    def visible(self, given: dict[str, Any]) -> QuerySet:
        return HostTag.objects.filter(host__removed=None)
