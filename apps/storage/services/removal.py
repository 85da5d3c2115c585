"""Deleting, destroying and recovering volumes by their owners."""

from apps.core.errors import InvalidParameter, PermissionDenied
from apps.core.retry import atomically
from apps.core.settings import Setting
from apps.jobs import locks
from apps.storage.flows.expunge import begin_expunge
from apps.storage.models import Volume
from apps.storage.services import volumes

V = Volume.State
ALLOWED = Setting(
    "allow.user.expunge.recover.volume",
    True,
    scope="account",
    help_text="Owners may expunge and recover their volumes themselves.",
)


@atomically
def delete(*, volume: Volume) -> None:
    """For good: the row goes at once, its disk as soon as the storage answers. No job works on it meanwhile."""
    locks.hold(volume)
    give_up(_free(volume))


@atomically
def destroy(*, volume: Volume, expunge: bool, by_root: bool) -> Volume:
    """In a job that has the volume's lock."""
    row = _free(volume)
    if expunge:
        _check_allowed(row, by_root)
    if expunge or row.state == V.ALLOCATED:  # without a disk there is nothing to recover
        give_up(row)
    elif row.state == V.READY:
        volumes.destroy(row)
    return row


@atomically
def recover(*, volume: Volume, by_root: bool) -> Volume:
    locks.hold(volume)
    _check_allowed(volume, by_root)
    if volume.state != V.DESTROY:
        raise InvalidParameter(f"id: volume {volume.uuid} is {volume.state}, not destroyed")
    volumes.recover(volume)
    return volume


@atomically
def give_up(volume: Volume) -> None:
    if volumes.give_up(volume):
        begin_expunge([volume.pk])


def _free(volume: Volume) -> Volume:
    """Locked first, looked at then: an attachment that is made at the same time waits, or is seen."""
    row = Volume.all_tenants.select_for_update().filter(pk=volume.pk).first()
    if row is None:
        raise InvalidParameter(f"id: there is no volume {volume.uuid} any more")
    volumes.ensure_free(row)
    return row


def _check_allowed(volume: Volume, by_root: bool) -> None:
    if not by_root and not ALLOWED.value(volume.owner):
        raise PermissionDenied("id: expunging and recovering volumes is left to administrators in this cloud")
