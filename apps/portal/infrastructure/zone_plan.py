"""The calls of a draft of a zone are carried out. Each first looks whether what it makes is there, so that the plan can
be gone on with after a failure, a lost answer or a lost page, and nothing is made twice.
"""

import time

from django.utils.functional import Promise

from apps.core.errors import CloudError, text_for
from apps.portal import services
from apps.portal.infrastructure.zone_calls import Action, actions
from apps.portal.infrastructure.zone_draft import KIND, ZoneDraft
from apps.portal.visits import Visit

Text = str | Promise
BUDGET = 4.0  # seconds that one request works on the plan
PAUSE = 0.1


def advance(visit: Visit, draft: ZoneDraft, budget: float = BUDGET) -> None:
    """As far as it comes in this time; where it stopped, and why, stands in the draft."""
    end = time.monotonic() + budget
    draft.failed = {}
    for action in actions(draft):
        if action.key in draft.made:
            continue
        try:
            row = _ensure(visit, draft, action, end)
        except CloudError as error:
            draft.job, draft.failed = {}, {"key": action.key, "text": text_for(error, visit.who.is_root)}
            row = ""
        if row:
            draft.made[action.key], draft.job = row, {}
        if draft.made.get("host"):
            draft.sealed = ""  # of no use any more
        services.keep_draft(visit.user, KIND, draft.stored())
        if not row or time.monotonic() > end:
            return


def _ensure(visit: Visit, draft: ZoneDraft, action: Action, end: float) -> str:
    """Id of what is there now; "" while its job is under way."""
    if draft.job.get("key") == action.key:
        return _wait(visit, draft, action, end)
    _look_up(visit, draft, action)
    if found := action.find(visit, draft.made):
        return found
    answer = visit.call(action.command, **action.params(draft.made))
    if not services.is_job(answer):
        return action.find(visit, draft.made) or _lost(action)
    draft.job = {"key": action.key, "job": str(answer["jobid"])}
    return _wait(visit, draft, action, end)


def _wait(visit: Visit, draft: ZoneDraft, action: Action, end: float) -> str:
    while True:
        told = visit.call("queryAsyncJobResult", jobid=draft.job["job"])
        if told["jobstatus"] == 1:
            return action.find(visit, draft.made) or _lost(action)
        if told["jobstatus"] == 2:
            raise CloudError(str(told.get("jobresult", {}).get("errortext", "")))
        if time.monotonic() > end:
            return ""
        time.sleep(PAUSE)


def _lost(action: Action) -> str:
    raise CloudError(f"{action.command}: it was answered, but what it makes is not listed")


def _look_up(visit: Visit, draft: ZoneDraft, action: Action) -> None:
    """Rows that exist by themselves, and that an action names."""
    if action.key == "element":
        rows = visit.list("listVirtualRouterElements", nspid=draft.made["provider"]).rows
        draft.made["element-row"] = str(rows[0]["id"]) if rows else ""
    if action.key == "guests":
        name = "DefaultSharedNetworkOfferingWithSGService"
        rows = visit.list("listNetworkOfferings", name=name).rows
        draft.made["offering"] = str(rows[0]["id"]) if rows else ""
