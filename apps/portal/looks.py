"""How values look: states by shape and colour, amounts with their unit, times as short as they may be, in the language
and the zone of the user.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import get_language, pgettext, pgettext_lazy
from django.utils.translation import gettext as _

DASH = "–"
KIB = 1024


@dataclass(frozen=True)
class Look:
    colour: str
    glyph: str
    turns: bool = False


OK, BUSY, OFF = Look("ok", "s-ok"), Look("busy", "s-busy", turns=True), Look("off", "s-off")
WARN, BAD = Look("warn", "s-warn"), Look("bad", "s-bad")
GONE, NOTHING = Look("off", "s-gone"), Look("off", "s-none")

# By the wire name of the state. In service; under way, wait; off on purpose; look at it; failed; gone or to be gone;
# nothing yet or unknown. The registry test compares this with every state of every model.
STATES: dict[str, Look] = {
    name: look
    for look, names in (
        (OK, "Running Up Ready BackedUp Enabled enabled Implemented Active Setup Connected Completed On Available"),
        (OK, "PRIMARY INFO SUCCEEDED succeeded Allocated-address Associated Reserved"),
        (BUSY, "Starting Stopping Migrating Expunging Restoring BackingUp Creating Attaching Resizing Snapshotting"),
        (BUSY, "RevertSnapshotting Copying Implementing Add Revoke Connecting Rebalancing PrepareForMaintenance"),
        (
            BUSY,
            "IN_PROGRESS UploadInProgress Allocating Releasing running Destroying Downloading",
        ),
        (OFF, "Stopped Shutdown Disabled disabled Maintenance Disconnected BACKUP locked Suspended"),
        (WARN, "Alert Degraded WARN Suspect UPDATE_NEEDED WARNING ErrorInPrepareForMaintenance Uploaded NotUploaded"),
        (BAD, "Error BackupError RestoreError Down FAILED failed ERROR FAULT ErrorInMaintenance Failed UploadError"),
        (BAD, "UploadAbandoned refused"),
        (GONE, "Destroyed Destroy Expunged Removed removed Deleted"),
        (
            NOTHING,
            "Unknown UNKNOWN Allocated Staged Free Scheduled Started Created Inactive queued Initial Initialized",
        ),
    )
    for name in names.split()
}
LABELS = {  # what is not here is shown as the wire has it
    "Running": pgettext_lazy("state", "Running"),
    "Starting": pgettext_lazy("state", "Starting"),
    "Stopping": pgettext_lazy("state", "Stopping"),
    "Stopped": pgettext_lazy("state", "Stopped"),
    "Migrating": pgettext_lazy("state", "Migrating"),
    "Destroyed": pgettext_lazy("state", "Destroyed"),
    "Expunging": pgettext_lazy("state", "Expunging"),
    "Restoring": pgettext_lazy("state", "Restoring"),
    "Error": pgettext_lazy("state", "Error"),
    "Ready": pgettext_lazy("state", "Ready"),
    "Allocated": pgettext_lazy("state", "Allocated"),
    "Creating": pgettext_lazy("state", "Creating"),
    "Attaching": pgettext_lazy("state", "Attaching"),
    "Resizing": pgettext_lazy("state", "Resizing"),
    "Destroy": pgettext_lazy("state", "Destroy"),
    "Expunged": pgettext_lazy("state", "Expunged"),
    "Implemented": pgettext_lazy("state", "Implemented"),
    "Implementing": pgettext_lazy("state", "Implementing"),
    "Shutdown": pgettext_lazy("state", "Shutdown"),
    "Setup": pgettext_lazy("state", "Setup"),
    "Active": pgettext_lazy("state", "Active"),
    "Add": pgettext_lazy("state", "Add"),
    "Revoke": pgettext_lazy("state", "Revoke"),
    "Staged": pgettext_lazy("state", "Staged"),
    "Enabled": pgettext_lazy("state", "Enabled"),
    "Disabled": pgettext_lazy("state", "Disabled"),
    "Free": pgettext_lazy("state", "Free"),
    "Releasing": pgettext_lazy("state", "Releasing"),
    "Allocating": pgettext_lazy("state", "Allocating"),
    "Completed": pgettext_lazy("state", "Completed"),
    "Started": pgettext_lazy("state", "Started"),
    "Scheduled": pgettext_lazy("state", "Scheduled"),
    "Created": pgettext_lazy("state", "Created"),
    "Unknown": pgettext_lazy("state", "Unknown"),
    "Up": pgettext_lazy("state", "Up"),
    "Down": pgettext_lazy("state", "Down"),
    "Alert": pgettext_lazy("state", "Alert"),
    "Maintenance": pgettext_lazy("state", "Maintenance"),
    "PrepareForMaintenance": pgettext_lazy("state", "PrepareForMaintenance"),
    "enabled": pgettext_lazy("state", "enabled"),
    "disabled": pgettext_lazy("state", "disabled"),
    "locked": pgettext_lazy("state", "locked"),
    "INFO": pgettext_lazy("state", "INFO"),
    "WARN": pgettext_lazy("state", "WARN"),
    "ERROR": pgettext_lazy("state", "ERROR"),
    "queued": pgettext_lazy("state", "queued"),
    "running": pgettext_lazy("state", "running"),
    "succeeded": pgettext_lazy("state", "succeeded"),
    "failed": pgettext_lazy("state", "failed"),
    "refused": pgettext_lazy("state", "refused"),
}


def of_state(name: str) -> Look:
    """A state that nobody knows is shown as one: unknown. A test keeps that from happening."""
    return STATES.get(str(name), NOTHING)


def state_label(name: str) -> str:
    return str(LABELS.get(name, name)) if name else DASH


def number(value: Any, places: int | None = None) -> str:
    """With the separators of the language; whole numbers without decimals."""
    if value is None or value == "":
        return DASH
    if isinstance(value, float):
        places = places if places is not None else (0 if value == int(value) else 1)
    return number_format(value, decimal_pos=places, use_l10n=True, force_grouping=True)


def size(value: Any) -> str:
    """Bytes in the largest unit that leaves a figure before the point."""
    if value in (None, ""):
        return DASH
    amount, units = float(value), ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    for unit in units:
        if amount < KIB or unit == units[-1]:
            break
        amount /= KIB
    return f"{number(round(amount, 1))} {unit}"


def gib(value: Any) -> str:
    return DASH if value in (None, "") else size(int(value) << 30)


def mib(value: Any) -> str:
    return DASH if value in (None, "") else size(int(value) << 20)


def speed(value: Any) -> str:
    """MHz as people say it."""
    if value in (None, ""):
        return DASH
    return f"{number(int(value))} MHz" if int(value) < 1000 else f"{number(int(value) / 1000, 1)} GHz"


def cores(number_of: Any, mhz: Any) -> str:
    return DASH if not number_of else f"{number(number_of)} × {speed(mhz)}" if mhz else number(number_of)


def yes(value: Any) -> str:
    return _("Yes") if value in (True, "true") else _("No") if value in (False, "false") else DASH


# Day and month, then with the year: in the order of the language. Django's own short forms are figures only.
SHORT = {"de": ("j. M", "j. M Y"), "en": ("j M", "j M Y")}


def when(value: Any) -> datetime | None:
    """A wire date, in the user's zone."""
    if not value:
        return None
    moment_ = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return timezone.localtime(moment_)


def short(at: datetime, *, seconds: bool = False) -> str:
    """`15:02` today, `22 Nov` this year, `22 Nov 2025` before."""
    from django.utils.dateformat import format as formatted

    now, clock = timezone.localtime(), "H:i:s" if seconds else "H:i"
    day, year = SHORT["de" if (get_language() or "").startswith("de") else "en"]
    if at.date() == now.date():
        return formatted(at, clock)
    pattern = day if at.year == now.year else year
    return formatted(at, f"{pattern}, {clock}" if seconds else pattern)


def in_full(at: datetime) -> str:
    from django.utils.dateformat import format as formatted

    year = SHORT["de" if (get_language() or "").startswith("de") else "en"][1]
    return formatted(at, f"{year}, H:i:s T")


def moment(value: Any, seconds: bool = False) -> str | SafeString:
    """Short, and in full with its zone as title."""
    at = when(value)
    if at is None:
        return DASH
    said = short(at, seconds=seconds)
    return format_html('<time datetime="{}" title="{}" class="num">{}</time>', at.isoformat(), in_full(at), said)


def moment_in_full(value: Any) -> str | SafeString:
    at = when(value)
    if at is None:
        return DASH
    from django.utils.dateformat import format as formatted

    year = SHORT["de" if (get_language() or "").startswith("de") else "en"][1]
    said = formatted(at, f"{year}, H:i")
    return format_html('<time datetime="{}" title="{}" class="num">{}</time>', at.isoformat(), in_full(at), said)


def duration(seconds: float | None) -> str:
    """`0.1 s`, `14 s`, `3 min`, `2 h`."""
    if seconds is None:
        return ""
    if seconds < 10:
        return pgettext("duration", "%s s") % number(round(seconds, 1), 1)
    if seconds < 100:
        return pgettext("duration", "%s s") % number(round(seconds))
    if seconds < 6000:
        return pgettext("duration", "%s min") % number(round(seconds / 60))
    return pgettext("duration", "%s h") % number(round(seconds / 3600))


def ago(value: Any) -> str:
    at = when(value)
    if at and timezone.now() - at < timedelta(minutes=1):
        return _("less than a minute ago")
    return _("%(time)s ago") % {"time": timesince(at, depth=1)} if at else DASH
