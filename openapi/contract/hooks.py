"""What Schemathesis cannot read from the document. Nothing is switched off: it
is told how to log in, what formats look like and what exists, and which rules
of the contract's prose may refuse what the schemas allow."""

import datetime
import os
import uuid
from decimal import Decimal

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation

import client

PROGRAM = os.environ["GIFTCARDS_PROGRAM"]
MERCHANT = os.environ["GIFTCARDS_MERCHANT"]
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)

# --- who asks -------------------------------------------------------------------

TOKEN = client.login()


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """One token for all, but each logout gets one of its own to revoke."""

    def get(self, case, context):
        if context.operation.definition.raw.get("security") == []:
            return None
        return client.login() if case.path == "/v2/token/logout" else TOKEN

    def set(self, case, token, context):
        case.headers["Authorization"] = "Bearer " + token


@schemathesis.check
def token_stays_good(ctx, response, case):
    """A 401 passes elsewhere for an acceptance of good data; with this token it is none."""
    if response.status_code == 401 and response.request.headers.get("Authorization") == "Bearer " + TOKEN:
        raise AssertionError("a good token was refused")


# --- what formats look like -------------------------------------------------------


def days_from_now(days):
    return (NOW + days * DAY).isoformat().replace("+00:00", "Z")


def moment(text):
    return datetime.datetime.fromisoformat(text)


schemathesis.openapi.format("phone", st.sampled_from(["+442079460018", "+12025550143", "+14155552671"]))
schemathesis.openapi.format("email", st.from_regex(r"[a-z0-9]{1,12}@example\.com", fullmatch=True))
schemathesis.openapi.format("date-time", st.integers(1, 4 * 365).map(days_from_now))

# --- what exists ------------------------------------------------------------------


def existing():
    """Issues cards, by a task and at once; returns path parameters that now exist."""
    bulk = f"/v2/giftcards/programs/{PROGRAM}/cards/bulk"
    task = client.call("POST", bulk, {"initialValue": "5", "count": 51}, token=TOKEN)
    cards = client.call("POST", bulk, {"initialValue": "5", "count": 1}, token=TOKEN)
    return {"programId": PROGRAM, "taskId": task["taskId"], "link": cards["csvDownloadUrl"].rpartition("/")[2]}


EXISTING = existing()


@schemathesis.hook
def map_case(ctx, case):
    """Well-formed requests go to a program that exists. In the coverage phase they
    name a task, a link and a user that exist, too; else random ones."""
    if case.meta is None:
        return case
    covering = case.meta.phase.name.value == "coverage"
    if is_positive(case, ParameterLocation.PATH):
        for name in case.path_parameters:
            if name == "programId" or covering:
                case.path_parameters[name] = EXISTING[name]
    if is_positive(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        fit(case.body, case.path, covering)
    return case


@schemathesis.hook
def before_add_examples(ctx, examples):
    for case in examples:
        map_case(ctx, case)


def is_positive(case, location):
    component = case.meta.components.get(location)
    return component is None or component.mode.is_positive  # None is an example of the document


def fit(body, path, covering):
    if path.endswith(("/cards", "/bulk")):
        fit_cards(body, path)
    elif path == "/v2/token":
        if covering:
            body["username"], body["password"] = client.USERNAME, client.PASSWORD
        # A form has no null (Schemathesis would write "null"), and an empty field is none.
        for name in [name for name, value in body.items() if value is None]:
            del body[name]
        for name in ("username", "password"):
            body[name] = body[name] or "nobody"


def fit_cards(body, path):
    # Schemathesis likes to send back the times that it was answered, which are past.
    if body.get("expiresAt") and moment(body["expiresAt"]) < NOW + DAY:
        body["expiresAt"] = days_from_now(365)
    if path.endswith("/cards"):
        body["merchantId"] = MERCHANT
    elif body.get("recipients"):
        body.pop("count", None)  # exactly one of them, which no schema says
    else:
        body.pop("recipients", None)
        body["count"] = min(body.get("count") or 1, 100)  # more would only take time


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """One key for many bodies would be refused for its reuse alone."""
    if case.meta and case.meta.generation.mode.is_positive:
        for name in case.headers:
            if name.lower() == "idempotency-key":
                case.headers[name] = str(uuid.uuid4())


# --- what may be refused though the schemas allow it --------------------------------

RULES = {  # type and place of a refusal -> what must be true of the request
    ("greater_than_equal", "body", "initialValue"): lambda body: Decimal(body["initialValue"]) < Decimal("0.01"),
    ("less_than_equal", "body", "initialValue"): lambda body: Decimal(body["initialValue"]) > 10_000,
    ("value_error", "body", "deliverAt"): lambda body: moment(body["deliverAt"])
    > moment(body.get("expiresAt") or days_from_now(365)),
}


def is_rule(error, body):
    holds = RULES.get((error["type"], *error["loc"]))
    return holds is not None and holds(body)


@schemathesis.hook
def filter_failure(ctx, failure, case, response):
    if type(failure).__name__ == "RejectedPositiveData" and response.status_code == 422:
        return not all(is_rule(error, case.body) for error in response.json()["detail"])
    return True
