"""The paths of REST, by one rule from the names of commands; docs/api-rest.md tells it to people.

What is a noun is asked of all names that the protocol knows, not of those that are served: a command that is added
moves no other.
"""

import re
from dataclasses import dataclass
from functools import cache

from apps.core.commands import REGISTRY, Spec, wire_facts

ROOT = "/api/v1"
METHODS = ("GET", "POST", "PATCH", "DELETE")
WORDS = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+", re.ASCII)
VERB = re.compile(r"[a-z]+", re.ASCII)
LINKS = ("For", "To", "From", "In", "On")
CREATING, CHANGING, REMOVING, READING = ("create", "add"), ("update",), ("delete", "remove"), ("get", "query", "find")
# The job that an answer of 202 names.
FIXED = {"queryAsyncJobResult": ("GET", "/async-jobs/{id}", "jobid")}


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str  # "/volumes/{id}/attach", below ROOT
    command: str
    id_parameter: str = ""  # what "{id}" is to the command
    is_one: bool = False  # of a list: the one with this id

    @property
    def spec(self) -> Spec:
        return REGISTRY[self.command]


def words_of(name: str) -> list[str]:
    return WORDS.findall(name)


def kebab(words: list[str]) -> str:
    return "-".join(words).lower()


def plural(words: list[str]) -> str:
    *front, last = words
    last = last.lower()
    if re.search(r"(ss|x|ch|sh)$", last):
        last += "es"
    elif re.search(r"[^aeiou]y$", last):
        last = last[:-1] + "ies"
    elif not last.endswith("s"):
        last += "s"
    return kebab([*front, last])


@cache
def nouns() -> frozenset[str]:
    """Of all that can be listed: "virtual-machines"."""
    return frozenset(plural(words_of(name)[1:]) for name in wire_facts() if name.startswith("list") and name != "list")


def place(verb: str, noun: list[str]) -> tuple[str, str]:
    """The collection that a verb is about, and the verb as its path has it: resetPasswordForVirtualMachine is
    "reset-password" of virtual-machines, prepareHostForMaintenance "prepare-for-maintenance" of hosts.
    """
    if plural(noun) in nouns():
        return plural(noun), verb
    for at, word in enumerate(noun):
        if word in LINKS and at and plural(noun[at + 1 :] or [""]) in nouns():
            return plural(noun[at + 1 :]), kebab([verb, *noun[:at]])
    for length in range(len(noun) - 1, 0, -1):
        if plural(noun[:length]) in nouns():
            return plural(noun[:length]), kebab([verb, *noun[length:]])
    return plural(noun), verb


def routes_of(name: str, parameters: frozenset[str]) -> list[Route]:
    """The first is the command's own; of a list that takes an id, the second is the one row."""
    if name in FIXED:
        method, path, parameter = FIXED[name]
        return [Route(method, path, name, parameter)]
    verb, *noun = words_of(name)
    if not noun:
        return [Route("POST", f"/{verb}", name)]
    has_id, collection = "id" in parameters, plural(noun)
    if verb == "list":
        own = Route("GET", f"/{collection}", name)
        return [own, Route("GET", f"/{collection}/{{id}}", name, "id", is_one=True)] if has_id else [own]
    about, word = place(verb, noun)
    is_whole = about == collection and word == verb  # nothing but verb and noun
    if verb in CREATING and is_whole and not has_id:
        return [Route("POST", f"/{collection}", name)]
    if verb in CHANGING and is_whole and has_id:
        return [Route("PATCH", f"/{collection}/{{id}}", name, "id")]
    if verb in REMOVING and is_whole and has_id:
        return [Route("DELETE", f"/{collection}/{{id}}", name, "id")]
    if verb in READING:
        return [_reading(name, verb, noun, has_id)]
    if has_id:
        return [Route("POST", f"/{about}/{{id}}/{word}", name, "id")]
    return [Route("POST", f"/{about}/{word}", name)]


def _reading(name: str, verb: str, noun: list[str], has_id: bool) -> Route:
    """getUserKeys of a user is the keys below it; what is about nothing that has an id is a thing of its own."""
    about, word = place("", noun)
    if not has_id:
        return Route("GET", f"/{kebab(noun)}", name)
    below = f"/{word.strip('-')}" if word.strip("-") else ""
    return Route("GET", f"/{about}/{{id}}{below}", name, "id")


@cache
def routes() -> dict[tuple[str, str], Route]:
    """By method and path. No two names of the protocol come to the same; a test holds the rule to that."""
    found: dict[tuple[str, str], Route] = {}
    for name, spec in sorted(REGISTRY.items()):
        for route in routes_of(name, frozenset(spec.fields)):
            found.setdefault((route.method, route.path), route)
    return found


def find(path: str) -> dict[str, tuple[Route, str]]:
    """The routes of a path by method, each with the id that stands in the path."""
    pieces = path.strip("/").split("/")
    forms = {path: ""}
    if len(pieces) > 1:
        forms["/" + "/".join([pieces[0], "{id}", *pieces[2:]])] = pieces[1]
    found: dict[str, tuple[Route, str]] = {}
    for form, given in forms.items():
        for method in METHODS:
            if (route := routes().get((method, form))) and method not in found:
                found[method] = (route, given)
    return found


def path_of(name: str) -> Route | None:
    """The way to a command that its documentation names."""
    return next((route for route in routes().values() if route.command == name), None)
