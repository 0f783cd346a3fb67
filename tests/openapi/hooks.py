"""What Schemathesis has to know of the shop beyond its document."""

import re

import schemathesis

# What a new shop has.
ITEMS = ("item1", "item2", "item3")

# Why a request that the document allows can be invalid all the same: no schema can say these.
BEYOND_SCHEMAS = (
    "the lines of this item add up to more than",
    "an https:// URL of at most 255",
    "must be an address that begins with https:// and a host",
    "the total would exceed",
    "the stock on hand would exceed",
    "must be a cursor that this shop has given out",
    "must be a day",
    "must not be before the first day",
    "must not be given with placed_from",
)


@schemathesis.hook
def filter_case(context, case):
    """Spin itself answers 500 to header fields that are not UTF-8; no component ever sees such a request."""
    return all(str(value).isascii() for value in (case.headers or {}).values())


@schemathesis.hook
def map_case(context, case):
    case.body = sendable(case.body)
    # Most requests without a condition: a tag that was made up is none that anything has, and all would end in a 412.
    for name in ("if-match", "if-none-match"):
        if case.headers and name in case.headers and len(str(case.headers[name])) % 8 != 3:
            del case.headers[name]
    return case


def sendable(value):
    """What was made up, mostly with items that there are: otherwise nearly all orders end in a 404, whatever else is right or
    wrong in them."""
    if isinstance(value, dict):
        value = {name: sendable(member) for name, member in value.items()}
        item_id = value.get("item_id")
        if isinstance(item_id, str) and re.fullmatch("[A-Za-z0-9._-]{1,64}", item_id) and len(item_id) % 8:
            value["item_id"] = ITEMS[len(item_id) % len(ITEMS)]
        return value
    if isinstance(value, list):
        return [sendable(member) for member in value]
    return value


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Schemathesis may make a value wrong and then put a known right one in its place. It calls such a request positive, and
    still wants it refused. The same goes for a wrong condition that `map_case` has taken out; and on a GET a condition that
    cannot be read matches nothing (RFC 9110, 13.1), which is no mistake."""
    fine = ("positive test case", "parameter `if-match`", "parameter `if-none-match`")
    return not any(f"Invalid component: {component}" in failure.message for component in fine)


@schemathesis.check
def what_the_document_allows_is_not_called_invalid(context, response, case):
    meta = case.meta
    if response.status_code != 422 or meta is None or not meta.generation.mode.is_positive:
        return
    problem = response.json()
    if problem["code"] == "invalid_request":
        others = [error for error in problem["errors"] if not error["detail"].startswith(BEYOND_SCHEMAS)]
        assert not others, f"the document allows this request: {others}"
