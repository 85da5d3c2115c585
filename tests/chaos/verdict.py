"""What is done and looked up in the database itself: run with the environment of the cloud that is tormented.

Leases and questions have their time before anybody may look into them, minutes that prove nothing. Once no process that
could still act is alive they are made due: `--hurry`, which is only true between two runs of the tree.
"""

import sys

import django

PAST = "2020-01-01T00:00Z"


def main(words: list[str]) -> int:
    django.setup()
    if "--faults" in words:
        faults()
        return 0
    if "--hurry" in words:
        hurry()
        return 0
    lines = unfinished()
    if "--audit" in words:
        lines += broken()
    print("\n".join(lines))
    return 1 if lines else 0


def faults() -> None:
    """A little of everything, on every host: slow, refused, busy, lost, and done but timed out."""
    from apps.simulator.models import Fault

    for outcome, percent in (("refused", 2), ("busy", 4), ("lost_before", 2), ("lost_after", 4), ("none", 30)):
        Fault.objects.create(outcome=outcome, percent=percent, latency_ms=100 if outcome == "none" else 0)


def hurry() -> None:
    from apps.core.models import Question
    from apps.jobs.models import FlowRun, Job
    from apps.simulator.models import Fault

    Fault.objects.all().delete()  # hosts are well again: what is asked is answered
    FlowRun.objects.filter(phase__in=FlowRun.LIVE).update(wake_at=PAST)
    Job.objects.filter(status=Job.Status.RUNNING).update(wake_at=PAST)
    Question.objects.update(due_at=PAST)


def unfinished() -> list[str]:
    from apps.core.models import Question
    from apps.jobs.models import Claim, FlowRun, Job, Lock

    found = [f"job {j.pk} {j.command} is {j.status}" for j in Job.objects.filter(status__in=Job.LIVE)]
    found += [f"flow {f.pk} {f.flow} is {f.phase} at {f.step}" for f in FlowRun.objects.filter(phase__in=FlowRun.LIVE)]
    found += [f"question {q.kind} about {q.row_id} is open" for q in Question.objects.all()]
    live = {f"job:{key}" for key in Job.objects.filter(status__in=Job.LIVE).values_list("pk", flat=True)}
    live |= {f"run:{key}" for key in FlowRun.objects.filter(phase__in=FlowRun.LIVE).values_list("pk", flat=True)}
    found += [f"claim of {c.holder} on {c.key} is left" for c in Claim.objects.all() if c.holder not in live]
    held = Lock.objects.exclude(holder="")
    return found + [f"lock {lock.key} is left to {lock.holder}" for lock in held if lock.holder not in live]


def broken() -> list[str]:
    from apps.core.audit import findings

    return [f"{subject}: {line}" for subject, lines in findings().items() for line in lines]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
