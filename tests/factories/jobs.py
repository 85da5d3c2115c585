from apps.jobs.models import Job


def job(make, owner, **kw):
    return Job.objects.create(account=owner, **{"command": "createVolume", "params": {}, **kw})


ROWS = {"jobs.Job": job}
