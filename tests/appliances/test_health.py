"""A router is checked when somebody asks."""

import pytest

from apps.core.errors import CloudError
from apps.hypervisors.errors import Busy, Unknown
from apps.machines.models import VirtualMachine
from tests.appliances.test_routers import w  # noqa: F401 - a fixture


def asked(api, w):  # noqa: F811
    return api(w.root, "getRouterHealthCheckResults", routerid=w.router.uuid)["routerhealthchecks"]


def test_a_router_that_is_well_says_so(api, w):  # noqa: F811
    said = asked(api, w)

    (check,) = said["healthchecks"]
    assert said["routerid"] == str(w.router.uuid)
    assert check.pop("lastupdated").endswith("+0000")
    assert check == {
        "checkname": "dns_check.py", "checktype": "basic", "success": True, "status": "SUCCESS", "details": ""
    }  # fmt: skip


def test_what_is_wrong_with_a_router_is_told(api, w):  # noqa: F811
    w.cloud.routers.clear()

    (check,) = asked(api, w)["healthchecks"]

    assert (check["success"], check["status"], check["details"]) == (False, "FAILED", "no answer")


def test_lists_tell_what_was_found_last_until_the_router_starts_anew(api, w):  # noqa: F811
    (before,) = api(w.root, "listRouters", listall=True, fetchhealthcheckresults=True)["router"]
    w.cloud.routers.clear()
    found = asked(api, w)["healthchecks"]

    (row,) = api(w.root, "listRouters", listall=True, fetchhealthcheckresults=True)["router"]

    assert (before["healthchecksfailed"], before["healthcheckresults"]) == (False, [])
    assert (row["healthchecksfailed"], row["healthcheckresults"]) == (True, found)
    assert "healthcheckresults" not in api(w.root, "listRouters", listall=True)["router"][0]
    assert api(w.root, "listRouters", listall=True, healthchecksfailed=True)["count"] == 1
    assert api(w.root, "listRouters", listall=True, healthchecksfailed=False) == {}
    api(w.root, "stopRouter", id=w.router.uuid)
    api(w.root, "startRouter", id=w.router.uuid)
    (after,) = api(w.root, "listRouters", listall=True, fetchhealthcheckresults=True)["router"]
    assert (after["healthchecksfailed"], after["healthcheckresults"]) == (False, [])


@pytest.mark.parametrize("error", [Busy("later"), Unknown("cut")])
def test_a_host_that_does_not_answer_is_no_finding(api, w, error):  # noqa: F811
    w.cloud.fail("networks.status", error)

    with pytest.raises(CloudError) as refusal:
        asked(api, w)
    assert refusal.value.code in (533, 534, 537)


def test_a_router_that_does_not_run_is_not_checked(api, w):  # noqa: F811
    VirtualMachine.all_tenants.filter(pk=w.router.pk).kernel_update(state="Stopped")
    calls = list(w.cloud.calls)

    with pytest.raises(CloudError, match="only one that runs is checked"):
        asked(api, w)
    assert w.cloud.calls == calls
