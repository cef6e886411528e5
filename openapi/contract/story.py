"""The main job of the API, told through a validating proxy: every answer must
have the status that the story expects, and no violation that the proxy noted."""

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


try:
    tell()
except Exception as error:  # an answer so wrong that it has no such key
    findings.append(f"the story cannot go on: {error!r}")
for finding in findings:
    print(finding)
print(f"{answers} answers")
sys.exit(bool(findings))
