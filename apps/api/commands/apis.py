from typing import Any

from apps.api.describe import entry
from apps.core import ports
from apps.core.callers import USER
from apps.core.commands import REGISTRY, Command, command
from apps.core.responses import Plain
from apps.core.wire import Str


class ApiDiscoveryResponse(Plain):
    wire_name = "api"
    fields = {
        "name": "string",
        "description": "string",
        "isasync": "boolean",
        "since": "string",
        "related": "string",
        "params": "set",
        "response": "set",
        "httprequesttype": "string",
    }


@command("listApis", roles=USER, response=ApiDiscoveryResponse)
class ListApis(Command):
    """Lists the commands that the caller may call, with their parameters and the fields of their answers."""

    changes = False

    name = Str(help_text="list the one with this name")

    def run(self, name: str = "") -> dict[str, Any]:
        allows, role = ports.rules.one(), self.caller.role
        named = [name] if name in REGISTRY else [] if name else sorted(REGISTRY)
        found = [entry(each) for each in named if allows(role, each, REGISTRY[each].roles)]
        return {"count": len(found), "api": found} if found else {}
