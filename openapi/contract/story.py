"""The main job of the API, told through a validating proxy: every answer must
have the status that the story expects, and no violation that the proxy noted."""

import csv
import io
import os
import sys
import time
import uuid

import client

PROXY = os.environ["GIFTCARDS_PROXY"]
PROGRAM = os.environ["GIFTCARDS_PROGRAM"]
FOREIGN_PROGRAM = os.environ["GIFTCARDS_FOREIGN_PROGRAM"]
MERCHANT = os.environ["GIFTCARDS_MERCHANT"]

answers = 0
findings = []


def call(expected, method, path, url=PROXY, **request):
    """Makes a request and notes what is wrong with its answer."""
    global answers
    answers += 1
    answer = client.call(method, path, url=url, **request)
    violations = answer.headers.get("sl-violations")
    if answer.status != expected or violations:
        findings.append(f"{method} {path}: {answer.status}, want {expected}; {violations or ''}\n    {answer.text[:2000]}")
    return answer


def check(true, sentence):
    if not true:
        findings.append(sentence)


def cards(program):
    return f"/v2/giftcards/programs/{program}/cards"


def bulk(expected, body, key=None, token=None):
    headers = {"Idempotency-Key": key} if key else None
    return call(expected, "POST", cards(PROGRAM) + "/bulk", json_body=body, token=token, headers=headers)


def refused(answer, *loc):
    check(any(error["loc"] == list(loc) for error in answer["detail"]), f"no refusal at {loc}: {answer.text}")


def download(link, count):
    path = link[link.index("/v2/") :]
    lines = call(200, "GET", path).text.splitlines()
    check(len(lines) == count + 1, f"CSV of {count} cards has {len(lines)} lines")


def poll(token, path):
    for _ in range(300):
        answer = call(200, "GET", path, token=token)
        if answer.status != 200 or answer["status"] in ("completed", "failed"):
            return answer
        check(answer.headers.get("Retry-After"), "an unfinished task has no Retry-After")
        time.sleep(0.1)
    raise TimeoutError("the task did not end in 30 seconds")


def tell():
    login = call(200, "POST", "/v2/token", form={"username": client.USERNAME, "password": client.PASSWORD})
    token = login["accessToken"]
    call(200, "GET", "/v2/token", token=token)
    call(401, "POST", "/v2/token", form={"username": client.USERNAME, "password": "wrong"})
    call(422, "POST", "/v2/token", form={"username": client.USERNAME})

    single = {"initialValue": "25.00", "merchantId": MERCHANT, "customerName": "Ada", "customerEmail": "ada@example.com"}
    call(201, "POST", cards(PROGRAM), json_body=single, token=token)
    refused(call(422, "POST", cards(PROGRAM), json_body={**single, "initialValue": "0"}, token=token), "body", "initialValue")
    for lax in (1, "true"):
        refused(call(422, "POST", cards(PROGRAM), json_body={**single, "isPhysical": lax}, token=token), "body", "isPhysical")

    at_once = bulk(201, {"initialValue": 10.5, "count": 50}, token=token)
    check(len(at_once["cards"]) == 50, "not 50 cards")
    download(at_once["csvDownloadUrl"], 50)
    named = bulk(201, {"initialValue": "7", "recipients": [{"customerName": "Bo"}, {"customerPhone": "+442079460018"}]}, token=token)
    check(len(named["cards"]) == 2 and named["csvDownloadUrl"] is None, f"two recipients: {named.text}")

    key, many = str(uuid.uuid4()), {"initialValue": "7.00", "count": 500}
    accepted = bulk(202, many, key=key, token=token)
    location = accepted.headers["Location"]
    done = poll(token, location)
    check(done["status"] == "completed" and len(done["cards"]) == 500, f"the task: {done.text[:500]}")
    download(done["csvDownloadUrl"], 500)
    replayed = bulk(202, many, key=key, token=token)
    check(replayed.text == accepted.text and replayed.headers["Idempotent-Replayed"] == "true", "the replay differs")
    refused(bulk(422, {**many, "count": 501}, key=key, token=token), "header", "idempotency-key")
    for count in (0, 1.5, "5"):
        refused(bulk(422, {"initialValue": "7.00", "count": count}, token=token), "body", "count")
    refused(bulk(422, {"initialValue": "7.00"}, token=token), "body")

    hostile = "no\0ne <b>\u202e\x85"
    bulk(202, {"initialValue": "7", "count": 60, "designTemplate": hostile}, token=token)
    person = {"customerName": hostile, "senderName": hostile, "customMessage": hostile}
    for_sixty = bulk(202, {"initialValue": "7", "recipients": [person] * 60}, token=token)
    check(poll(token, for_sixty.headers["Location"])["status"] == "completed", "sixty hostile names are not issued")

    live(token)

    call(401, "GET", location, token="no token")
    call(401, "GET", location, url=client.URL)  # the proxy would answer this itself
    call(403, "GET", location.replace(PROGRAM, FOREIGN_PROGRAM), token=token)
    call(403, "POST", cards(FOREIGN_PROGRAM), json_body=single, token=token)
    call(404, "POST", cards("0" * 24), json_body=single, token=token)
    call(404, "GET", cards(PROGRAM) + f"/bulk/{uuid.uuid4()}", token=token)
    call(403, "GET", "/v2/giftcards/downloads/no-link")
    call(200, "POST", "/v2/token/logout", token=token)
    call(401, "GET", "/v2/token", token=token)
    call(200, "GET", "/healthz")
    call(200, "GET", "/readyz")


class Card:
    """A card with its security code, which only the CSV tells."""

    def __init__(self, token, id, number=None, code=None):
        self.token, self.id, self.number, self.code = token, id, number, code

    def do(self, expected, operation, body=None, method="POST", **headers):
        path = f"{cards(PROGRAM)}/{self.id}{operation}"
        return call(expected, method, path, json_body=body, token=self.token, headers=headers)

    def has(self, balance, status):
        now = self.do(200, "", method="GET")
        check((now["balance"], now["status"]) == (balance, status), f"want {balance} {status}: {now.text}")


def in_days(days):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * 86_400))


def bought(token, count):
    """Issues cards and reads their codes from the CSV."""
    link = bulk(201, {"initialValue": "25", "count": count}, token=token)["csvDownloadUrl"]
    rows = csv.DictReader(io.StringIO(call(200, "GET", link[link.index("/v2/") :]).text))
    return [Card(token, row["id"], row["cardNumber"], row["securityCode"]) for row in rows]


def live(token):
    """The lives of a few cards."""
    card, other, third, fourth = bought(token, 4)
    spend(card)
    other.do(200, "/activate", {})
    give(card, other)
    stop(card)
    settle(third, fourth)
    find(token, card)
    for report in ("business", "expiration-warnings", "escheatment?jurisdiction=DE&dormancy_days=1"):
        call(200, "GET", f"/v2/giftcards/programs/{PROGRAM}/reports/{report}", token=token)


def spend(card):
    check(card.do(400, "/redeem", {"amount": "1"})["detail"] == "Gift card is not active", "a pending card pays")
    card.do(200, "/activate", {"customerName": "Ada", "customerEmail": "ada@example.com"})
    check(card.do(400, "/activate", {})["detail"] == "Gift card has already been activated", "a card is activated twice")
    once = {"Idempotency-Key": str(uuid.uuid4())}
    redeemed = card.do(200, "/redeem", {"amount": "10.50"}, **once)
    again = card.do(200, "/redeem", {"amount": "10.50"}, **once)
    check(again.text == redeemed.text and again.headers["Idempotent-Replayed"] == "true", "the replay of a redemption differs")
    check(card.do(400, "/redeem", {"amount": "14.51"})["detail"] == "Insufficient gift card balance", "more than all is taken")
    refund = f"/transactions/{redeemed['transactionId']}/refund"
    check(card.do(200, refund, {"amount": "4"})["remainingBalance"] == "18.50", "a part is not given back")
    card.do(400, refund, {"amount": "6.51"})
    check(card.do(200, refund, {})["refundedAmount"] == "6.50", "the rest is not given back")
    card.do(400, refund, {})
    card.do(404, f"/transactions/{'0' * 24}/refund", {})
    card.do(200, "/reload", {"amount": "20.00"})
    card.do(200, "/reload", {"amount": "5000"})
    limit = card.do(400, "/reload", {"amount": "5000"})
    check(limit["availableReloadAmount"] == 4955, f"what may still be reloaded: {limit.text}")
    by_number = {"cardNumber": card.number, "amount": "1"}
    call(200, "POST", cards(PROGRAM) + "/reload-by-number", json_body=by_number, token=card.token)
    kinds = [entry["transactionType"] for entry in card.do(200, "?include_transactions=true", method="GET")["transactions"]]
    check(kinds == ["RELOAD"] * 3 + ["REFUND"] * 2 + ["REDEMPTION", "ACTIVATION"], f"the ledger: {kinds}")
    card.has("5046.00", "active")


def give(card, other):
    transfer = {"securityCode": card.code, "destinationCardNumber": other.number, "amount": "46"}
    wrong = card.do(401, "/transfer", {**transfer, "securityCode": "x" * 6})
    check(wrong.headers["WWW-Authenticate"] == "SecurityCode", "a wrong code is taken for a bad token")
    moved = card.do(200, "/transfer", transfer)
    check((moved["sourceCard"]["remainingBalance"], moved["destinationCard"]["newBalance"]) == ("5000.00", "71.00"), moved.text)
    card.do(404, "/transfer", {**transfer, "destinationCardNumber": "0" * 16})
    card.do(400, "/transfer", {**transfer, "destinationCardNumber": card.number})

    shown = {"cardNumber": other.number, "securityCode": other.code}
    for path in (f"/v2/giftcards/programs/{PROGRAM}/balance-check", "/v2/giftcards/customer/balance-check"):
        answer = call(200, "POST", path, json_body=shown)
        check((answer["balance"], answer["isActive"]) == ("71.00", True), answer.text)
        call(404, "POST", path, json_body={**shown, "securityCode": "wrong"})
    owner = {"newOwnerName": "Grace", "newOwnerEmail": "grace@example.com"}
    check(other.do(200, "/transfer-ownership", owner)["customerEmail"] == "grace@example.com", "the card has its old owner")


def stop(card):
    card.do(400, "/resume")
    check(card.do(200, "/suspend", {"reason": "Lost"})["status"] == "suspended", "the card is not stopped")
    card.do(400, "/redeem", {"amount": "1"})
    refused(card.do(422, "/suspend", {"suspendedUntil": "2020-01-01T00:00:00Z"}), "body", "suspendedUntil")
    card.do(200, "/resume")
    card.has("5000.00", "active")
    card.do(400, "/process-expired", {"action": "extend"})
    card.do(200, "/resend-code", {"customerEmail": "ada@example.com"})


def settle(card, other):
    for each in (card, other):
        each.do(200, "/activate", {"customerEmail": "ada@example.com"})
    both = {"cardNumbers": [card.number, other.number], "merchantId": MERCHANT}
    path = f"/v2/giftcards/programs/{PROGRAM}/consolidate"
    merged = call(200, "POST", path, json_body=both, token=card.token)
    check(merged["newCard"]["balance"] == "50.00" and len(merged["consolidationTransactions"]) == 3, merged.text)
    card.has("0.00", "voided")
    check(call(400, "POST", path, json_body=both, token=card.token)["detail"] == "Gift card has been voided", "voided cards are worth money")
    later = {"initialValue": "5", "merchantId": MERCHANT, "customerEmail": "ada@example.com", "deliverAt": in_days(10)}
    unsent = Card(card.token, call(201, "POST", cards(PROGRAM), json_body=later, token=card.token)["id"])
    unsent.do(200, "/schedule", {"deliverAt": in_days(20)}, method="PATCH")
    check(unsent.do(200, "/void", {"reason": "Lost"})["status"] == "voided", "the card is not void")
    unsent.do(400, "/void")
    unsent.do(400, "/schedule", {"deliverAt": None}, method="PATCH")


def find(token, card):
    for path in (f"/v2/giftcards/programs/cards?programId={PROGRAM}", f"/v2/giftcards/programs/{PROGRAM}/search?q={card.number[-4:]}"):
        found = call(200, "GET", path + "&limit=1000", token=token)
        check(f'"{card.id}"' in found.text, f"{path} does not find the card")
    page = call(200, "GET", f"/v2/giftcards/programs/cards?programId={PROGRAM}&limit=1", token=token)
    link = page.headers["Link"]
    check(link and link.endswith('; rel="next"'), f"the Link of a first page: {link}")
    following = call(200, "GET", link[link.index("/v2/") : link.index(">")], token=token)
    check(following.text != page.text, "the next page is the first one")
    call(403, "GET", f"/v2/giftcards/programs/{FOREIGN_PROGRAM}/search", token=token)
    refused(call(422, "GET", "/v2/giftcards/programs/cards?status=lost", token=token), "query", "status")


try:
    tell()
except Exception as error:  # an answer so wrong that it has no such key
    findings.append(f"the story cannot go on: {error!r}")
for finding in findings:
    print(finding)
print(f"{answers} answers")
sys.exit(bool(findings))
