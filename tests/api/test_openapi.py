"""The document is held to the structure of OpenAPI 3.1, and to what is served."""

import re

import pytest
from jsonschema import Draft202012Validator

from apps.api.rest import openapi, paths, schemas
from apps.core.commands import REGISTRY
from tests.api.client import Wire

METHODS = {"get", "post", "patch", "delete"}

# What OpenAPI 3.1 asks of the parts that we use; schemas are held to the meta-schema of JSON Schema beside it.
SCHEMA = {"type": ["object", "boolean"]}
CONTENT = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"type": "object", "properties": {"schema": SCHEMA}, "additionalProperties": False},
}
REFERENCE = {"type": "object", "required": ["$ref"], "properties": {"$ref": {"type": "string"}}, "maxProperties": 1}
PARAMETER = {
    "type": "object",
    "required": ["name", "in"],
    "properties": {
        "name": {"type": "string"},
        "in": {"enum": ["path", "query", "header", "cookie"]},
        "description": {"type": "string"},
        "required": {"type": "boolean"},
        "style": {"const": "form"},
        "explode": {"type": "boolean"},
        "schema": SCHEMA,
        "content": {**CONTENT, "maxProperties": 1},
    },
    "additionalProperties": False,
    "oneOf": [{"required": ["schema"]}, {"required": ["content"]}],
    "if": {"properties": {"in": {"const": "path"}}},
    "then": {"required": ["required"], "properties": {"required": {"const": True}}},
}
RESPONSE = {
    "type": "object",
    "required": ["description"],
    "properties": {
        "description": {"type": "string", "minLength": 1},
        "content": CONTENT,
        "headers": {"type": "object", "additionalProperties": {"type": "object", "required": ["schema"]}},
    },
    "additionalProperties": False,
}
OPERATION = {
    "type": "object",
    "required": ["operationId", "summary", "tags", "responses"],
    "properties": {
        "operationId": {"type": "string", "pattern": "^[A-Za-z]+$"},
        "summary": {"type": "string", "minLength": 1},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "parameters": {"type": "array", "items": PARAMETER, "uniqueItems": True},
        "requestBody": {
            "type": "object",
            "required": ["content"],
            "properties": {"required": {"type": "boolean"}, "content": CONTENT},
            "additionalProperties": False,
        },
        "responses": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^([1-5][0-9][0-9]|default)$"},
            "additionalProperties": {"anyOf": [REFERENCE, RESPONSE]},
        },
        "security": {"type": "array"},
    },
    "additionalProperties": False,
}
DOCUMENT = {
    "type": "object",
    "required": ["openapi", "info", "paths"],
    "properties": {
        "openapi": {"type": "string", "pattern": r"^3\.1\.\d+$"},
        "info": {
            "type": "object",
            "required": ["title", "version"],
            "properties": dict.fromkeys(("title", "version", "summary", "description"), {"type": "string"}),
            "additionalProperties": False,
        },
        "servers": {"type": "array", "items": {"type": "object", "required": ["url"]}},
        "security": {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "array"}}},
        "tags": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "paths": {
            "type": "object",
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "type": "object",
                "propertyNames": {"enum": sorted(METHODS)},
                "additionalProperties": OPERATION,
                "minProperties": 1,
            },
        },
        "components": {
            "type": "object",
            "properties": {
                "schemas": {"type": "object", "propertyNames": {"pattern": r"^[A-Za-z0-9._-]+$"}},
                "responses": {"type": "object", "additionalProperties": RESPONSE},
                "securitySchemes": {
                    "type": "object",
                    "additionalProperties": {"type": "object", "required": ["type", "in", "name"]},
                },
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def document():
    return openapi.made()


def operations(document):
    return [(path, method, operation) for path, ways in document["paths"].items() for method, operation in ways.items()]


def inner(value, key):
    """Every value under this key, however deep."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name == key:
                yield each
            yield from inner(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from inner(each, key)


def test_it_has_the_structure_of_openapi(document):
    problems = [
        f"{'/'.join(map(str, e.path))}: {e.message}" for e in Draft202012Validator(DOCUMENT).iter_errors(document)
    ]

    assert problems == []


def test_a_document_that_is_wrong_would_be_found(document):
    for broken in ({"openapi": "3.0.0"}, {"paths": {"x": {}}}, {"paths": {"/x": {"get": {"responses": {}}}}}):
        assert not Draft202012Validator(DOCUMENT).is_valid({**document, **broken})


def test_every_schema_is_a_json_schema(document):
    found = [*inner(document, "schema"), *document["components"]["schemas"].values()]

    assert len(found) > 500
    for schema in found:
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere(document):
    for reference in set(inner(document, "$ref")):
        at = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]
        assert isinstance(at, dict)


def test_ids_of_operations_are_unique_and_parameters_of_a_path_are_declared(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, _, operation in operations(document):
        declared = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path))
        places = [(p["name"], p["in"]) for p in operation.get("parameters", ())]
        assert len(places) == len(set(places)), (path, places)


def test_all_that_is_served_is_in_it_and_nothing_else(document):
    named = {operation["operationId"].removesuffix("ById") for _, _, operation in operations(document)}
    assert named == REGISTRY.keys() | {"anyCommand", "logIn", "logOut"}
    for path, method, operation in operations(document):
        if operation["operationId"].removesuffix("ById") in REGISTRY:
            route, _ = paths.find(path.replace("{id}", "x"))[method.upper()]
            assert route.command == operation["operationId"].removesuffix("ById")


def test_tags_and_security_schemes_are_declared(document):
    tags = {tag["name"] for tag in document["tags"]}
    used = {tag for path, _, o in operations(document) if o["operationId"] in REGISTRY for tag in o["tags"]}
    assert used <= tags
    schemes = {name for each in document["security"] for name in each}
    assert schemes == document["components"]["securitySchemes"].keys()


def test_parameters_are_in_the_query_or_in_the_body_with_their_types(document):
    listing = {p["name"]: p for p in document["paths"]["/volumes"]["get"]["parameters"]}
    assert listing["page"]["schema"] == {"type": "integer"}
    assert listing["listall"]["schema"] == {"type": "boolean"}
    assert listing["tags"]["content"]["application/json"]["schema"] == {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"key": {"type": "string"}, "value": {"type": "string"}},
            "additionalProperties": False,
        },
    }
    body = document["paths"]["/accounts"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert (body["required"], "username" in schema["required"], schema["additionalProperties"]) == (True, True, False)
    assert schema["properties"]["password"]["format"] == "password"
    attach = document["paths"]["/volumes/{id}/attach"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "id" not in attach["properties"]


def test_answers_are_what_is_answered(document):
    at = document["paths"]
    assert set(at["/volumes"]["post"]["responses"]) == {"202", "default"}
    assert set(at["/ssh-key-pairs"]["post"]["responses"]) == {"201", "default"}
    assert set(at["/events/delete"]["post"]["responses"]) == {"200", "default"}
    listed = at["/volumes"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert listed["properties"]["items"]["items"] == {"$ref": "#/components/schemas/Volume"}
    one = at["/volumes/{id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert one == {"$ref": "#/components/schemas/Volume"}
    volume = document["components"]["schemas"]["Volume"]["properties"]
    assert volume["tags"]["items"] == {"$ref": "#/components/schemas/Tag"}


def test_two_responses_of_one_name_are_told_apart():
    assert len(set(schemas.names().values())) == len(schemas.names())


@pytest.mark.django_db
def test_it_is_served_to_everybody_and_only_once_to_each():
    http = Wire().http

    answer = http.get("/api/v1/openapi.json")

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json()["openapi"] == "3.1.0"
    again = http.get("/api/v1/openapi.json", headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert http.get("/api/v1/openapi.json", headers={"Accept-Encoding": "gzip"})["Content-Encoding"] == "gzip"
