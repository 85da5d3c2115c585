from django.utils import timezone

from apps.events.models import Alert, Event


def event(make, owner, **kw):
    given = {"kind": "VM.START", "state": "Completed", "text": "Successfully completed", **kw}
    return Event.all_tenants.create(owner=owner, domain_path=owner.domain.path, in_project=owner.is_project, **given)


def alert(make, owner, **kw):
    given = {"kind": "ALERT.MEMORY", "number": 0, "text": "memory is short", "sent": timezone.now(), **kw}
    return Alert.all_tenants.create(**given)


ROWS = {"events.Event": event, "events.Alert": alert}
