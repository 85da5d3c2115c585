"""What happened, in a few words: the API's own text names commands and ids."""

import re
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext, gettext_lazy

from apps.portal.frame.columns import Cell, Column
from apps.portal.visits import Row
from apps.portal.words import doing, verb

# By the last two parts of the type, or the last: SG.AUTH.INGRESS, VM.CREATE, NET.RULEADD.
HAPPENED: dict[str, str | Promise] = {
    "AUTH.EGRESS": gettext_lazy("Rule for the way out added to %(name)s"),
    "AUTH.INGRESS": gettext_lazy("Rule added to %(name)s"),
    "REVOKE.EGRESS": gettext_lazy("Rule for the way out taken from %(name)s"),
    "REVOKE.INGRESS": gettext_lazy("Rule taken from %(name)s"),
    "PERMISSION.CREATE": gettext_lazy("Rule added to %(name)s"),
    "PERMISSION.DELETE": gettext_lazy("Rule taken from %(name)s"),
    "PERMISSION.UPDATE": gettext_lazy("Rules of %(name)s changed"),
    "LIMIT.UPDATE": gettext_lazy("Limits of %(name)s changed"),
    "USER.KEY": gettext_lazy("API keys of %(name)s made"),
    "ADD": gettext_lazy("%(name)s added"),
    "ATTACH": gettext_lazy("%(name)s attached"),
    "CLOSE": gettext_lazy("Firewall rule removed"),
    "CREATE": gettext_lazy("%(name)s created"),
    "DELETE": gettext_lazy("%(name)s deleted"),
    "DESTROY": gettext_lazy("%(name)s destroyed"),
    "DETACH": gettext_lazy("%(name)s detached"),
    "DISABLE": gettext_lazy("%(name)s switched off"),
    "ENABLE": gettext_lazy("%(name)s switched on"),
    "EDIT": gettext_lazy("%(name)s changed"),
    "EXPUNGE": gettext_lazy("%(name)s expunged"),
    "IPASSIGN": gettext_lazy("Address %(name)s taken"),
    "IPRELEASE": gettext_lazy("Address %(name)s given back"),
    "KEYPAIR": gettext_lazy("Key pair %(name)s changed"),
    "LOCK": gettext_lazy("%(name)s locked"),
    "LOGIN": gettext_lazy("Logged in"),
    "LOGOUT": gettext_lazy("Logged out"),
    "MOVE": gettext_lazy("%(name)s moved"),
    "OPEN": gettext_lazy("Firewall rule added"),
    "REBOOT": gettext_lazy("%(name)s rebooted"),
    "RECOVER": gettext_lazy("%(name)s recovered"),
    "RESETPASSWORD": gettext_lazy("Password of %(name)s reset"),
    "RESETSSHKEY": gettext_lazy("Keys of %(name)s reset"),
    "RESIZE": gettext_lazy("%(name)s resized"),
    "RESTART": gettext_lazy("%(name)s restarted"),
    "RESTORE": gettext_lazy("%(name)s reinstalled"),
    "RULEADD": gettext_lazy("Port forwarded"),
    "RULEDELETE": gettext_lazy("Port forward removed"),
    "START": gettext_lazy("%(name)s started"),
    "STOP": gettext_lazy("%(name)s stopped"),
    "UPDATE": gettext_lazy("%(name)s changed"),
    "UPGRADE": gettext_lazy("%(name)s resized"),
}


FAILED = re.compile(r"Error while (?P<command>\w+) of [^:]*: (?P<why>.+)", re.DOTALL)
NOT_YET = {"Scheduled": gettext_lazy("asked for"), "Started": gettext_lazy("begun")}  # of an event that comes later


def _words(kind: str) -> str | Promise | None:
    parts = kind.split(".")
    return HAPPENED.get(".".join(parts[-2:])) or HAPPENED.get(parts[-1])


def phrase(event: Row) -> str:
    """Falls back to the API's text where there is no name to speak of, or where something else is said."""
    words, name = _words(str(event.get("type", ""))), event.get("resourcename")
    if event.get("level") == "ERROR" and (failed := FAILED.match(str(event.get("description", "")))):
        what = doing(verb(failed["command"]), str(name or ""))
        return gettext("%(what)s failed: %(why)s") % {"what": what, "why": failed["why"]}
    if event.get("level") == "ERROR" or words is None or ("%(name)s" in str(words) and not name):
        return str(event.get("description", ""))
    said = str(words) % {"name": name}
    if event.get("state") in NOT_YET:
        return f"{said}: {NOT_YET[event['state']]}"
    return said


@dataclass(frozen=True)
class What(Column):
    def cell(self, row: Row) -> Cell:
        return format_html('<span title="{}">{}</span>', row.get("description", ""), phrase(row))


WHAT = What("description", gettext_lazy("What"))
