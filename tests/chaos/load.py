"""Mixed load: what tenants do, each action for itself, each ready to be refused or to lose its answer.

Actions look for what they need among the tenant's own rows, so that they go on whatever earlier ones have left behind.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.chaos.client import Client, Lost, Refused

KEPT = 12  # machines and volumes a tenant keeps at most: what is above goes
DOCUMENTED = {431, 432, 503, 533, 534, 535, 536, 537}
NOT_NOW = 503  # as good as no answer


class Tenant:
    """One client that never rests; several share an account, and so get in each other's way."""

    def __init__(self, client: Client, seed: int):
        self.client, self.dice = client, random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.served = {api["name"] for api in client.call("listApis")["api"]}
        self.actions = [each for each in ACTIONS if each.needs <= self.served]

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            action = self.dice.choices(self.actions, [each.weight for each in self.actions])[0]
            try:
                action.work(self)
                self.seen["done"] += 1
            except Refused as refusal:
                self.seen[str(refusal.code)] += 1
                if refusal.code not in DOCUMENTED:
                    self.wrong.append(str(refusal))
                if refusal.code == NOT_NOW:
                    stop.wait(0.2)
            except Lost:
                self.seen["lost"] += 1
                stop.wait(0.2)

    def list(self, command: str, key: str, **params: Any) -> list[dict[str, Any]]:
        return self.client.call(command, **params).get(key, [])

    def one(self, command: str, key: str, **params: Any) -> dict[str, Any]:
        rows = self.list(command, key, **params)
        if not rows:
            raise Refused(command, 431, "there is none")
        return self.dice.choice(rows)

    def job(self, command: str, **params: Any) -> dict[str, Any]:
        return self.client.wait(self.client.call(command, **params)["jobid"])

    def machine(self, **params: Any) -> str:
        return str(self.one("listVirtualMachines", "virtualmachine", **params)["id"])


class Action:
    def __init__(self, weight: int, needs: set[str], work: Callable[[Tenant], object]):
        self.weight, self.needs, self.work = weight, needs, work


ACTIONS: list[Action] = []


def action(weight: int, *needs: str) -> Callable[[Callable[[Tenant], object]], Callable[[Tenant], object]]:
    def register(work: Callable[[Tenant], object]) -> Callable[[Tenant], object]:
        ACTIONS.append(Action(weight, set(needs), work))
        return work

    return register


@action(4, "deployVirtualMachine", "listServiceOfferings", "listTemplates", "listVirtualMachines")
def deploy(tenant: Tenant) -> None:
    if len(tenant.list("listVirtualMachines", "virtualmachine")) >= KEPT:
        destroy(tenant)
        return
    template = tenant.one("listTemplates", "template", templatefilter="executable")
    params = {
        "zoneid": template.get("zoneid") or tenant.one("listZones", "zone")["id"],
        "templateid": template["id"],
        "serviceofferingid": tenant.one("listServiceOfferings", "serviceoffering")["id"],
    }
    networks = tenant.list("listNetworks", "network", zoneid=params["zoneid"])
    if networks:
        params["networkids"] = tenant.dice.choice(networks)["id"]
    tenant.job("deployVirtualMachine", **params)


@action(2, "startVirtualMachine", "listVirtualMachines")
def start(tenant: Tenant) -> None:
    tenant.job("startVirtualMachine", id=tenant.machine(state="Stopped"))


@action(2, "stopVirtualMachine", "listVirtualMachines")
def stop(tenant: Tenant) -> None:
    tenant.job("stopVirtualMachine", id=tenant.machine(state="Running"), forced=tenant.dice.choice(("true", "false")))


@action(1, "rebootVirtualMachine", "listVirtualMachines")
def reboot(tenant: Tenant) -> None:
    tenant.job("rebootVirtualMachine", id=tenant.machine(state="Running"))


@action(2, "destroyVirtualMachine", "listVirtualMachines")
def destroy(tenant: Tenant) -> None:
    tenant.job("destroyVirtualMachine", id=tenant.machine())


@action(3, "createVolume", "listVolumes", "listZones")
def create_volume(tenant: Tenant) -> None:
    if len(tenant.list("listVolumes", "volume", type="DATADISK")) >= KEPT and "deleteVolume" in tenant.served:
        delete_volume(tenant)
        return
    zone = tenant.one("listZones", "zone")["id"]
    params: dict[str, Any] = {"name": f"v{tenant.dice.randrange(1000)}", "zoneid": zone}
    if "listDiskOfferings" in tenant.served:
        params["diskofferingid"] = tenant.one("listDiskOfferings", "diskoffering", iscustomized="false")["id"]
    else:
        params["size"] = 1
    tenant.job("createVolume", **params)


@action(2, "attachVolume", "listVolumes", "listVirtualMachines")
def attach(tenant: Tenant) -> None:
    volumes = [each for each in tenant.list("listVolumes", "volume", type="DATADISK") if "virtualmachineid" not in each]
    if volumes:
        tenant.job("attachVolume", id=tenant.dice.choice(volumes)["id"], virtualmachineid=tenant.machine())


@action(2, "detachVolume", "listVolumes")
def detach(tenant: Tenant) -> None:
    volumes = [each for each in tenant.list("listVolumes", "volume", type="DATADISK") if "virtualmachineid" in each]
    if volumes:
        tenant.job("detachVolume", id=tenant.dice.choice(volumes)["id"])


@action(1, "deleteVolume", "listVolumes")
def delete_volume(tenant: Tenant) -> None:
    tenant.client.call("deleteVolume", id=tenant.one("listVolumes", "volume", type="DATADISK")["id"])


@action(1, "createNetwork", "deleteNetwork", "listNetworkOfferings", "listNetworks", "listZones")
def network(tenant: Tenant) -> None:
    own = tenant.list("listNetworks", "network", type="Isolated")
    if len(own) >= 3:
        tenant.job("deleteNetwork", id=tenant.dice.choice(own)["id"])
        return
    offering = tenant.one("listNetworkOfferings", "networkoffering", guestiptype="Isolated", state="Enabled")
    advanced = [each for each in tenant.list("listZones", "zone") if each["networktype"] == "Advanced"]
    name = f"n{tenant.dice.randrange(1000)}"
    params = {"name": name, "displaytext": name, "networkofferingid": offering["id"], "zoneid": advanced[0]["id"]}
    tenant.client.call("createNetwork", **params)


@action(1, "createAccount", "deleteAccount", "listAccounts")
def account(tenant: Tenant) -> None:
    """Administrators only: others are not served these."""
    others = [each for each in tenant.list("listAccounts", "account", listall="true") if each["name"][:5] == "chaos"]
    if len(others) >= 5:
        tenant.job("deleteAccount", id=tenant.dice.choice(others)["id"])
        return
    name = f"chaos{tenant.dice.randrange(10**6)}"
    params = {"email": f"{name}@example.com", "firstname": "a", "lastname": "b", "username": name, "password": name}
    tenant.client.call("createAccount", accounttype=0, account=name, **params)


@action(3, "listVirtualMachines")
def look(tenant: Tenant) -> None:
    tenant.list("listVirtualMachines", "virtualmachine", listall="true")


@action(2, "listVolumes")
def look_at_volumes(tenant: Tenant) -> None:
    tenant.list("listVolumes", "volume", listall="true")
