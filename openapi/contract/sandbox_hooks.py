"""hooks.py, and what Schemathesis cannot read from the sandbox's document: which controls fit
together, and which worlds, states and tasks there are. An answer that a fault takes away cannot
be judged, so lost answers and cut ones are left to server/sandbox/faults_test.go."""

import collections
import datetime
import itertools
import json
import uuid

import schemathesis
from schemathesis.core.parameters import ParameterLocation

import client
import hooks

WORLD = "schemathesis"


def ask(method, path, body=None, headers=None):
    answer = client.call(method, path, body, token=hooks.TOKEN if path.startswith("/v2/") else None, headers=headers)
    assert answer.status < 300, answer.text
    return json.loads(answer.text or "null")


ask("POST", "/sandbox/worlds", {"name": WORLD, "replace": True})
DEFAULTS = {"amount": "25.00", "count": "3", "days": "7", "redeemed": "10.00", "until": hooks.days_from_now(30)}
NUMBERS = itertools.count()
STATES = itertools.cycle([state["state"].format_map(DEFAULTS) for state in ask("GET", "/sandbox/states")["states"]])
OPERATIONS = itertools.cycle(["createGiftCard", "redeemGiftCard", "bulkIssueGiftCards", "login_for_access_token"])


# --- the controls -----------------------------------------------------------------

# A card's times must not go back, so each request is later than the one before it. All of them
# are before the first time at which a card of hooks.py expires.
BEGIN = hooks.NOW + datetime.timedelta(hours=1)
SECONDS = itertools.count()
CODES = collections.defaultdict(itertools.count)


REPLACED = {"lost-answer": "cut=999999999", "cut": "cut=999999999", "slow": "slow=2ms"}


def is_moment(text):
    try:
        return hooks.moment(text).tzinfo is not None
    except ValueError:
        return False


def control(case):
    """Fits the controls of a request together. Only a request without a fault of its own keeps
    the ones that hide what the server finds."""
    sent = {name.lower(): name for name in case.headers or {}}
    prefer, fault, now, task = (sent.get("prefer"), *(sent.get("sandbox-" + name) for name in ("fault", "now", "task")))
    whole = all(component.mode.is_positive for component in case.meta.components.values())
    for name in filter(None, (fault, task)):
        case.headers[name] = REPLACED.get(case.headers[name].partition("=")[0], case.headers[name])
    if fault and not whole and case.headers[fault] == "down":
        del case.headers[fault]
        fault = None
    foreign = case.method.upper() != case.operation.method.upper()  # then another operation answers, or none
    if foreign and task:
        del case.headers[task]
        task = None
    if prefer:
        turn = next(CODES[case.path, case.method])
        if not whole or foreign or turn % 3:  # two of three requests are carried out
            case.headers[prefer] = "return=minimal"
            return
        responses = case.operation.definition.raw["responses"].items()
        declared = sorted(code for code, answer in responses if not answer["description"].startswith("A header of the sandbox"))
        case.headers[prefer] = "code=" + declared[turn // 3 % len(declared)]
        for other in (now, task):
            if other:
                del case.headers[other]
        if fault and case.headers[fault] == "down":
            case.headers[fault] = "slow=2ms"


# --- the sandbox itself -------------------------------------------------------------


def printable(text, otherwise):
    kept = "".join(letter for letter in text or "" if letter.isprintable()).strip()
    return kept if not text or kept else otherwise


def fit_world(body):
    body["name"] = f"schemathesis-{next(NUMBERS)}"
    if body.get("merchant"):
        body["merchant"] = printable(body["merchant"], "Shop")
    if body.get("programs"):
        body["programs"] = [printable(name, "") or "Program" for name in body["programs"]]
    for user in body.get("users") or []:
        if user.get("email"):
            user["email"] = f"{uuid.uuid4()}@example.com"  # no other user has it
        if user.get("password"):
            user["password"] = user["password"].encode(errors="replace")[:1024].decode(errors="ignore").ljust(12, "x")


def fit_state(body):
    body["state"], body["params"] = next(STATES), {"world": WORLD}


def new_world():
    return ask("POST", "/sandbox/worlds", {"name": f"schemathesis-{next(NUMBERS)}"})["name"]


def stuck_task():
    return ask("POST", hooks.CARDS + "/bulk", {"initialValue": "5", "count": 1}, {"Sandbox-Task": "stuck"})["taskId"]


def positive(case, location):
    return hooks.is_positive(case, location)


def fit_own(case):
    """Half of the well-formed requests go to what exists."""
    exists = next(NUMBERS) % 2 == 0
    if positive(case, ParameterLocation.PATH) and exists and case.meta.phase.name.value != "stateful":
        if "name" in (case.path_parameters or {}):
            case.path_parameters["name"] = new_world() if case.method == "DELETE" else WORLD
        if "taskId" in (case.path_parameters or {}):
            case.path_parameters["taskId"] = stuck_task()
    if positive(case, ParameterLocation.QUERY) and case.query:
        if "operation" in case.query:
            case.query["operation"] = next(OPERATIONS)
        if "world" in case.query and exists:
            case.query["world"] = WORLD
    if positive(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        if case.path == "/sandbox/worlds":
            fit_world(case.body)
        elif case.path == "/sandbox/states":
            fit_state(case.body)


@schemathesis.hook
def map_case(ctx, case):
    if case.meta is None:
        return case
    if case.path.startswith("/sandbox/"):
        fit_own(case)
    else:
        control(case)
    return case


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Cases are sent in another order than they are made in."""
    for name, value in (case.headers or {}).items():
        if name.lower() == "sandbox-now" and is_moment(value):
            case.headers[name] = (BEGIN + datetime.timedelta(seconds=next(SECONDS))).isoformat().replace("+00:00", "Z")
            return


@schemathesis.hook
def filter_failure(ctx, failure, case, response):
    """HTTP ignores headers that it does not know."""
    strange = "x-schemathesis-unknown-property" in {name.lower() for name in case.headers or {}}
    return not (type(failure).__name__ == "AcceptedNegativeData" and strange)


@schemathesis.hook
def before_add_examples(ctx, examples):
    for case in examples:
        map_case(ctx, case)
