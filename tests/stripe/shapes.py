"""Whether the requests and answers in records of a stand-in are as Stripe's OpenAPI description says.

A record is what `stripe-stand-in --record FILE` writes. With --able-to-fail, each kind of answer and of request is also
spoilt in ways that must be found. Prints what is wrong, and nothing else."""

import copy
import json
import re
import sys
import urllib.parse

from jsonschema import Draft4Validator, FormatChecker
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

FORMATS = FormatChecker(formats=[])
FORMATS.checks("currency")(lambda value: not isinstance(value, str) or re.fullmatch("[a-z]{3}", value) is not None)
FORMATS.checks("unix-time")(lambda value: not isinstance(value, int) or 1e9 < value < 1e10)


def main(path, *arguments):
    able_to_fail = "--able-to-fail" in arguments
    records = [argument for argument in arguments if argument != "--able-to-fail"]
    with open(path, encoding="utf-8") as file:
        # Only Stripe's client is made to ask for what is refused. What a shop asks for has to be right.
        description = Description(json.load(file), refused_may_be_wrong=able_to_fail)
    faults, exchanges = [], []
    for record in records:
        with open(record, encoding="utf-8") as file:
            exchanges.extend((f"{record}:{number}", json.loads(line)) for number, line in enumerate(file, 1))
    if not exchanges:
        faults.append("nothing was recorded")
    for place, exchange in exchanges:
        faults.extend(f"{place}: {fault}" for fault in description.faults(exchange))
    if able_to_fail and not faults:
        faults.extend(spoilt(description, [exchange for _, exchange in exchanges]))
    print("\n".join(faults[:50]), end="\n" if faults else "")
    return bool(faults)


class Description:
    """Stripe's OpenAPI description, as JSON Schema."""

    def __init__(self, document, refused_may_be_wrong):
        self.refused_may_be_wrong = refused_may_be_wrong
        self.paths = [
            (re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(path))), path, item)
            for path, item in document["paths"].items()
        ]
        # The types of events that there are, off the description of what a webhook endpoint can subscribe to.
        endpoint = document["paths"]["/v1/webhook_endpoints"]["post"]["requestBody"]["content"]
        properties = endpoint["application/x-www-form-urlencoded"]["schema"]["properties"]
        self.events = set(properties["enabled_events"]["items"]["enum"])
        schemas = {name: strict(schema) for name, schema in document["components"]["schemas"].items()}
        resource = Resource({"components": {"schemas": schemas}}, DRAFT4)
        self.registry = Registry().with_resource("urn:stripe", resource)

    def operation(self, method, path):
        found = [(template.count("{"), item) for regex, template, item in self.paths
                 if regex.fullmatch(path) and method.lower() in item]
        # Of several, the one with the fewest templates is meant.
        return min(found, key=lambda one: one[0])[1][method.lower()] if found else None

    def mistakes(self, schema, value):
        validator = Draft4Validator(schema, registry=self.registry, format_checker=FORMATS)
        error = best_match(validator.iter_errors(value))
        if error is not None:
            yield f"{'/'.join(map(str, error.absolute_path)) or 'all of it'}: {error.message[:300]}"

    def faults(self, exchange):
        method, path = exchange["method"], exchange["path"]
        operation = self.operation(method, path)
        if operation is None:
            # Stripe has no such call. What was answered is an error all the same.
            yield from self.answer_faults(None, exchange)
            if exchange["status"] is not None and exchange["status"] < 400:
                yield f"{method} {path}: Stripe has no such call, and it was answered with {exchange['status']}"
            return
        if not (self.refused_may_be_wrong and exchange["status"] in (400, 401)):
            yield from (f"{method} {path}: the request: {fault}" for fault in self.request_faults(operation, exchange))
        yield from self.answer_faults(operation, exchange)

    def request_faults(self, operation, exchange):
        query = decode(exchange["query"])
        parameters = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "query"}
        schema = {"type": "object", "properties": {name: one["schema"] for name, one in parameters.items()}}
        required = [name for name, one in parameters.items() if one.get("required")]
        schema = strict({**schema, **({"required": required} if required else {})})
        yield from self.mistakes(schema, self.typed(schema, query))
        if exchange["method"] == "POST":
            body = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
            schema = strict(body)
            yield from self.mistakes(schema, self.typed(schema, decode(exchange["body"])))
        elif exchange["body"]:
            yield "a GET has a body"

    def answer_faults(self, operation, exchange):
        status, answer = exchange["status"], exchange["answer"]
        if status is None:
            return
        if status >= 400:
            schema = reference("error")
        else:
            content = operation["responses"][str(status)]["content"] if operation else {}
            schema = strict(content["application/json"]["schema"]) if content else {}
        place = f"{exchange['method']} {exchange['path']}: the answer {status}"
        yield from (f"{place}: {fault}" for fault in self.mistakes(schema, answer))
        # An event's object may be anything in the description.
        events = answer.get("data", []) if answer.get("object") == "list" else [answer]
        for event in events:
            if isinstance(event, dict) and event.get("object") == "event":
                about = event["data"]["object"]
                if event["type"] not in self.events:
                    yield f"{place}: there is no event {event['type']}"
                schema = reference(about["object"])
                yield from (f"{place}: {event['type']}: {fault}" for fault in self.mistakes(schema, about))

    def typed(self, schema, value):
        """The texts of a form as what the schema says that they are."""
        for option in schema.get("anyOf", []):
            candidate = self.typed(option, value)
            if not list(self.mistakes(option, candidate)):
                return candidate
        kind = schema.get("type")
        if isinstance(value, dict):
            if kind == "array":
                # `a[]` and `a[0]` are the same; what is no number stays, and is found to be wrong.
                if all(name.isdigit() for name in value):
                    names = sorted(value, key=int)
                    return [self.typed(schema.get("items", {}), value[name]) for name in names]
                return value
            properties, others = schema.get("properties", {}), schema.get("additionalProperties")
            others = others if isinstance(others, dict) else {}
            return {name: self.typed(properties.get(name, others), inner) for name, inner in value.items()}
        if kind == "integer" and re.fullmatch("-?[0-9]+", value):
            return int(value)
        if kind == "boolean" and value in ("true", "false"):
            return value == "true"
        return value


def reference(name):
    return {"$ref": f"urn:stripe#/components/schemas/{name}"}


def strict(schema):
    """A schema of OpenAPI 3.0 as one of JSON Schema, in which an object has no members but those that are named."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": "urn:stripe" + schema["$ref"]}
    result = {
        name: {member: strict(inner) for member, inner in value.items()} if name == "properties" else strict(value)
        for name, value in schema.items()
        if not name.startswith("x-") and name not in ("description", "title", "nullable", "example", "default")
    }
    if "properties" in result and "additionalProperties" not in result:
        result["additionalProperties"] = False
    return {"anyOf": [result, {"type": "null"}]} if schema.get("nullable") else result


def decode(encoded):
    """A form with brackets as objects. Lists are objects whose names are numbers."""
    result = {}
    for name, value in urllib.parse.parse_qsl(encoded, keep_blank_values=True, strict_parsing=bool(encoded)):
        first, *rest = re.findall(r"^[^\[]+|\[[^\]]*\]", name)
        path = [first, *(part[1:-1] for part in rest)]
        into = result
        for index, part in enumerate(path):
            part = part or str(len(into))
            if index == len(path) - 1:
                into[part] = value
            else:
                into = into.setdefault(part, {})
    return result


def spoilt(description, exchanges):
    """What is not found to be wrong although it is."""
    kinds = {}
    for exchange in exchanges:
        if exchange["operation"] and exchange["status"] is not None:
            kinds.setdefault((exchange["operation"], exchange["status"]), exchange)
    expected = {("create", 200), ("look", 200), ("expire", 200), ("refund", 200), ("list-refunds", 200),
                ("list-sessions", 200), ("look-refund", 200), ("look-dispute", 200), ("list-disputes", 200),
                ("look-intent", 200), ("list-intents", 200), ("look-event", 200), ("list-events", 200),
                ("create", 400), ("refund", 400), ("list-sessions", 401), ("create", 409), ("create", 429),
                ("create", 500), ("look", 404), ("look-dispute", 404)}
    yield from (f"nothing of {kind} was recorded" for kind in expected - kinds.keys())
    for kind, exchange in kinds.items():
        for spoil in (without_a_member, with_another_member, with_another_type):
            wrong = copy.deepcopy(exchange)
            if spoil(wrong["answer"]) and not list(description.faults(wrong)):
                yield f"{kind}: an answer that was spoilt ({spoil.__name__}) is found to be right"
        if kind[1] == 200:
            wrong = copy.deepcopy(exchange)
            field = "body" if wrong["method"] == "POST" else "query"
            wrong[field] = "&".join(filter(None, [wrong[field], "colour=red"]))
            if not list(description.faults(wrong)):
                yield f"{kind}: a request with an unknown parameter is found to be right"
            wrong = copy.deepcopy(exchange)
            wrong["body"], amounts = re.subn(r"amount(\]?)=[0-9]+", r"amount\1=much", wrong["body"])
            if amounts and not list(description.faults(wrong)):
                yield f"{kind}: a request with an amount that is no number is found to be right"


def innermost(answer):
    """The object of an answer, of the first of a list, or of an error."""
    if answer.get("object") == "list":
        return answer["data"][0] if answer["data"] else None
    return answer


def without_a_member(answer):
    found = innermost(answer)
    return found is not None and found.pop("error" if "error" in found else "id", None) is not None


def with_another_member(answer):
    found = innermost(answer)
    if found is not None:
        found.get("error", found)["colour"] = "red"
    return found is not None


def with_another_type(answer):
    found = innermost(answer)
    if found is None:
        return False
    if "error" in found:
        found["error"]["message"] = 7
    else:
        found["created"] = "today"
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
