"""Whether the OpenAPI document is valid and complete in itself, and each of its examples is what its schema says.

Prints what is wrong, and nothing else."""

import json
import sys

from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

# What paths and methods answer that are not in the document: no operation can refer to these.
ELSEWHERE = {"/components/responses/NotFound", "/components/responses/MethodNotAllowed"}

FORMATS = FormatChecker()
for _name, _most in [("int32", 2**31 - 1), ("int64", 2**63 - 1)]:
    # A format says nothing of what is no number.
    FORMATS.checks(_name)(lambda value, most=_most: not isinstance(value, int) or -most - 1 <= value <= most)


def main(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    faults = []
    document = json.loads(text, object_pairs_hook=lambda pairs: unambiguous(pairs, faults))
    if text != json.dumps(document, indent=2, ensure_ascii=False) + "\n":
        faults.append("it is not written with two spaces a level, a line a member, as json.dumps does")
    # Each of these relies on what the one before it has found.
    for check in (references, specification, completeness, examples):
        faults.extend(check(document))
        if faults:
            break
    print("\n".join(faults), end="\n" if faults else "")
    return bool(faults)


def unambiguous(pairs, faults):
    names = [name for name, _ in pairs]
    faults.extend(f"{name} is there twice in one object" for name in set(names) if names.count(name) > 1)
    return dict(pairs)


def references(document):
    for place, node in nodes(document):
        try:
            resolved(document, node)
        except (KeyError, IndexError, ValueError):
            yield f"{place}: {node['$ref']} is not there"


def specification(document):
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        yield f"/{'/'.join(map(str, error.absolute_path))}: {error.message}"


def completeness(document):
    used = {node["$ref"][1:] for _, node in nodes(document) if "$ref" in node}
    for kind, components in document["components"].items():
        for name in components:
            place = f"/components/{kind}/{escaped(name)}"
            if kind != "securitySchemes" and place not in used | ELSEWHERE:
                yield f"{place} is used nowhere"
    for place, node in nodes(document):
        if "operationId" in node and "responses" in node:
            for member in {"summary", "description", "tags", "security"} - node.keys():
                yield f"{place} has no {member}"
        if isinstance(node.get("format"), str) and node["format"] not in FORMATS.checkers:
            yield f"{place}: nothing here knows the format {node['format']}"


def examples(document):
    registry = Registry().with_resource("urn:document", Resource(document, DRAFT202012))

    def mistakes(schema_place, value):
        place = schema_place.replace("{", "%7B").replace("}", "%7D")
        validator = Draft202012Validator({"$ref": f"urn:document#{place}"}, registry=registry, format_checker=FORMATS)
        return (error.message for error in validator.iter_errors(value))

    for place, node in nodes(document):
        # A list of examples is a schema's own.
        if isinstance(node.get("examples"), list):
            for index, value in enumerate(node["examples"]):
                yield from (f"{place}/examples/{index}: {mistake}" for mistake in mistakes(place, value))
        # A parameter, a header or a media type.
        if isinstance(node.get("schema"), dict):
            values = {name: resolved(document, one)["value"] for name, one in node.get("examples", {}).items()}
            if "example" in node:
                values["example"] = node["example"]
            if not values and "examples" not in resolved(document, node["schema"]):
                yield f"{place} has no example"
            for name, value in values.items():
                yield from (f"{place}, {name}: {mistake}" for mistake in mistakes(f"{place}/schema", value))
        if place.endswith("/application~1problem+json"):
            kinds = node["schema"].get("oneOf", [node["schema"]])
            codes = {resolved(document, kind)["properties"]["code"]["const"] for kind in kinds}
            shown = {value["code"] for value in values.values()}
            if codes != shown:
                yield f"{place}: the codes are {sorted(codes)}, those in examples {sorted(shown)}"


def nodes(value, place=""):
    """Every object of the document, with its place; not what is in examples."""
    if isinstance(value, dict):
        yield place, value
        for name, member in value.items():
            if name not in ("example", "value") and not (name == "examples" and isinstance(member, list)):
                yield from nodes(member, f"{place}/{escaped(name)}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from nodes(member, f"{place}/{index}")


def resolved(document, node):
    """What the node refers to, or else itself."""
    if "$ref" not in node:
        return node
    found = document
    for name in node["$ref"].split("/")[1:]:
        name = name.replace("~1", "/").replace("~0", "~")
        found = found[int(name)] if isinstance(found, list) else found[name]
    return found


def escaped(name):
    return name.replace("~", "~0").replace("/", "~1")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
