"""What Schemathesis cannot read from the document. Nothing is switched off: it
is told how to log in, what formats look like and what exists, and which rules
of the contract's prose may refuse what the schemas allow."""

import csv
import datetime
import io
import json
import os
import re
import time
import urllib.parse
import uuid
from decimal import Decimal

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation

import client

PROGRAM = os.environ["GIFTCARDS_PROGRAM"]
MERCHANT = os.environ["GIFTCARDS_MERCHANT"]
CARDS = f"/v2/giftcards/programs/{PROGRAM}/cards"
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
    """A 401 passes elsewhere for an acceptance of good data; with this token it is none,
    unless it is the security code of a transfer that is wrong."""
    about_code = case.path.endswith("/transfer") and response.headers.get("www-authenticate") == ["SecurityCode"]
    if response.status_code == 401 and not about_code and not was_chosen(case, response) and response.request.headers.get("Authorization") == "Bearer " + TOKEN:
        raise AssertionError("a good token was refused")


def was_chosen(case, response):
    """Reports whether the answer is not about the request, because its headers ask for it. Only
    a sandbox answers so. A bulk request is carried out for 201 and 202."""
    if response.status_code == 503 and (case.headers or {}).get("Sandbox-Fault") == "down":
        return True
    carried_out = case.path.endswith("/cards/bulk") and response.status_code in (201, 202)
    return "preference-applied" in response.headers and not carried_out


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


class Cards:
    """Cards of 5,000 each, in the states that operations need."""

    def __init__(self):
        self.fresh, self.standing = [], {}
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)
        self.expired = self.issue(expiresAt=end.isoformat())
        for card in self.expired[::2]:  # others expire before they are sold
            self.call(card, "/activate", {})
        time.sleep(max(0, (end - datetime.datetime.now(datetime.timezone.utc)).total_seconds()))

    def issue(self, **more):
        """Only the CSV tells security codes."""
        body = {"initialValue": "5000", "count": 50, **more}
        link = client.call("POST", f"/v2/giftcards/programs/{PROGRAM}/cards/bulk", body, token=TOKEN)["csvDownloadUrl"]
        return list(csv.DictReader(io.StringIO(client.call("GET", link[link.index("/v2/") :]).text)))

    def call(self, card, operation, body):
        answer = client.call("POST", f"{CARDS}/{card['id']}{operation}", body, token=TOKEN)
        assert answer.status == 200, answer.text
        return answer

    def needed(self, path):
        """Returns a card for an operation. One that it leaves as it is serves ten times,
        because issuing takes longer than asking."""
        end = "/" + path.rpartition("/")[2]
        if end in ONCE:
            return ONCE[end]()
        card, left = self.standing.get(end, (None, 0))
        self.standing[end] = (card if left else AGAIN.get(end, self.active)(), (left or 10) - 1)
        return self.standing[end][0]

    def pending(self):
        self.fresh = self.fresh or self.issue()
        return self.fresh.pop()

    def active(self):
        card = self.pending()
        self.call(card, "/activate", {})
        return card

    def suspended(self):
        card = self.active()
        self.call(card, "/suspend", {})
        return card

    def redeemed(self):
        card = self.active()
        return {**card, "transactionId": self.call(card, "/redeem", {"amount": "1000"})["transactionId"]}

    def undelivered(self):
        body = {"initialValue": "5000", "merchantId": MERCHANT, "customerEmail": "a@example.com", "deliverAt": days_from_now(9)}
        return json.loads(client.call("POST", CARDS, body, token=TOKEN).text)

    def past(self):
        return self.expired.pop() if self.expired else self.active()  # no more of them can be waited for


ISSUED = Cards()
ONCE = {  # the end of a path -> a card for one request
    "/activate": ISSUED.pending,
    "/consolidate": ISSUED.active,
    "/process-expired": ISSUED.past,
    "/refund": ISSUED.redeemed,
    "/resume": ISSUED.suspended,
    "/void": ISSUED.active,
}
AGAIN = {"/resend-code": ISSUED.undelivered, "/schedule": ISSUED.undelivered}  # the others need an active one


@schemathesis.hook
def map_case(ctx, case):
    """Well-formed requests go to a program that exists and to a card in the state that
    they need. In the coverage phase they name a task, a link and a user that exist, too;
    else random ones. Where one request follows from another, the card is that one's."""
    if case.meta is None:
        return case
    phase = case.meta.phase.name.value
    card = None
    if is_positive(case, ParameterLocation.PATH):
        ids = case.path_parameters.keys() & {"cardId", "transactionId"}
        follows = phase == "stateful" and all(case.path_parameters[name] is not None for name in ids)
        if ids and not follows:
            card = ISSUED.needed(case.path)
            case.path_parameters["cardId"] = card["id"]
            if "transactionId" in ids:
                case.path_parameters["transactionId"] = card["transactionId"]
        for name in EXISTING:
            if name in case.path_parameters and (name == "programId" or phase == "coverage"):
                case.path_parameters[name] = EXISTING[name]
    if is_positive(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        fit(case.body, case.path, phase == "coverage")
        fit_numbers(case.body, case.path, card)
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


def fit_numbers(body, path, card):
    """Numbers and codes of cards that exist; a code belongs to its number."""
    if path.endswith("/transfer") and card:
        body["securityCode"], body["destinationCardNumber"] = card["securityCode"], ISSUED.needed("destination")["cardNumber"]
    elif path.endswith("/balance-check"):
        card = ISSUED.needed(path)
        body["cardNumber"], body["securityCode"] = card["cardNumber"], card["securityCode"]
    elif path.endswith("/reload-by-number"):
        body["cardNumber"] = ISSUED.needed(path)["cardNumber"]
    elif path.endswith("/consolidate"):
        body["cardNumbers"] = [ISSUED.needed(path)["cardNumber"] for _ in range(2)]
        body["merchantId"] = MERCHANT
    elif path.endswith("/transfer-ownership"):
        body["newOwnerCustomerId"] = None  # there are no customers yet
    elif path.endswith("/suspend") and body.get("suspendedUntil") and moment(body["suspendedUntil"]) < NOW + DAY:
        body["suspendedUntil"] = days_from_now(30)


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
    ("greater_than_equal", "body", "amount"): lambda body: Decimal(body["amount"]) < Decimal("0.01"),
    ("greater_than", "body", "amount"): lambda body: Decimal(body["amount"]) <= 0,
    ("decimal_max_places", "body", "amount"): lambda body: Decimal(str(body["amount"])).as_tuple().exponent < -100,
    ("less_than_equal", "body", "amount"): lambda body: Decimal(body["amount"]) > 5_000,
    ("string_too_short", "body", "newOwnerName"): lambda body: not any(
        letter.isprintable() and not letter.isspace() for letter in re.sub("<[^>]*>", "", body["newOwnerName"])
    ),
    ("greater_than_equal", "body", "initialValue"): lambda body: Decimal(body["initialValue"]) < Decimal("0.01"),
    ("less_than_equal", "body", "initialValue"): lambda body: Decimal(body["initialValue"]) > 10_000,
    ("value_error", "body", "deliverAt"): lambda body: moment(body["deliverAt"])
    > moment(body.get("expiresAt") or days_from_now(365)),
}


STATES = {  # a refusal -> the states of which a card concerned must have one
    "Gift card is not active": {"pending", "suspended", "depleted"},
    "Gift card has expired": {"expired"},
    "Gift card has been voided": {"voided"},
    "Gift card has already been activated": {"active", "suspended", "depleted"},
    "Gift card is not suspended": {"pending", "active", "depleted"},
    "Gift card has not expired": {"pending", "active", "suspended", "depleted"},
}
AMOUNTS = {  # a refusal -> what must be true of the request and of the card that it is about
    "Insufficient gift card balance": lambda body, card: Decimal(body["amount"]) > Decimal(card["balance"]),
    "Total value exceeds maximum allowed": lambda body, card: Decimal(body["amount"]) + Decimal(card["balance"]) > 10_000,
    "Reload would exceed maximum card balance": lambda body, card: Decimal(body["amount"]) + Decimal(card["balance"])
    > 10_000,
    "Invalid transaction amount.": lambda body, card: Decimal(body["amount"]) > 0,
    "This transaction has already been processed.": lambda body, card: card["balance"] == "5000.00",
    "Gift card has no recipient": lambda body, card: not card["customerEmail"] and not card["customerPhone"],
    "Gift card has already been delivered": lambda body, card: card["delivered"],
    "Source and destination must be different cards": lambda body, card: card["cardNumber"]
    == re.sub("[ -]", "", body["destinationCardNumber"]),
    "Gift card has no balance to refund": lambda body, card: body["action"] == "refund" and Decimal(card["balance"]) == 0,
}


def is_refusal(sentence, case):
    """Reports whether a card that the request names is as the sentence says."""
    named = cards_named(case.path_parameters, case.body if isinstance(case.body, dict) else {})
    if sentence in AMOUNTS:
        receives = sentence == "Total value exceeds maximum allowed"
        return AMOUNTS[sentence](case.body, named[-1] if receives else named[0])
    return any(card["status"] in STATES.get(sentence, ()) for card in named)


def cards_named(path, body):
    """Returns the cards of a request as they are after it, that of the path first."""
    ids = [path["cardId"]] if "cardId" in path else []
    found = [json.loads(client.call("GET", f"{CARDS}/{id}", token=TOKEN).text) for id in ids]
    numbers = [body[name] for name in ("cardNumber", "destinationCardNumber") if name in body]
    for number in numbers + body.get("cardNumbers", []):
        search = f"/v2/giftcards/programs/{PROGRAM}/search?q=" + urllib.parse.quote(number)
        found += json.loads(client.call("GET", search, token=TOKEN).text)
    return found


def is_rule(error, body):
    holds = RULES.get((error["type"], *error["loc"]))
    return holds is not None and holds(body)


def is_card_id(response):
    """FastAPI, and so the contract's own server, reads GET …/cards/bulk as a card with the id
    "bulk". OpenAPI would look at …/cards/bulk alone, which has no GET."""
    path = urllib.parse.urlsplit(response.request.url).path
    fault = {"type": "value_error", "loc": ["path", "cardId"], "input": path.rpartition("/")[2]}
    return (
        response.request.method == "GET"
        and path in (CARDS + "/bulk", CARDS + "/reload-by-number")
        and response.status_code == 422
        and all(fault.items() <= error.items() for error in response.json()["detail"])
    )


# What an answer says about its request.
ABOUT_REQUEST = {
    "AcceptedNegativeData",
    "EnsureResourceAvailability",
    "IgnoredAuth",
    "MissingHeaderNotRejected",
    "RejectedPositiveData",
    "ServerError",
    "UnsupportedMethodResponse",
    "UseAfterFree",
}


@schemathesis.hook
def filter_failure(ctx, failure, case, response):
    if was_chosen(case, response) and type(failure).__name__ in ABOUT_REQUEST:
        return False
    if type(failure).__name__ == "UnsupportedMethodResponse":
        return not is_card_id(response)
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    detail = response.json()["detail"]
    if response.status_code == 400:
        return not is_refusal(detail, case)
    return not all(is_rule(error, case.body) for error in detail)
