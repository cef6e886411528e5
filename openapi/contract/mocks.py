#!/usr/bin/env python3
"""Sends the recorded requests to a server that stands for the API, and counts how many
answers are the recorded ones: mocks.py URL, for a mock of openapi.json or for a sandbox.
A recording without a body is of a request that is accepted, and then only the status counts.
The outcomes are in docs/testing-against.md.
"""

import base64
import http.client
import json
import pathlib
import sys
import urllib.parse

RECORDINGS = pathlib.Path(__file__).resolve().parents[2] / "server" / "validate" / "testdata" / "fastapi"
PROGRAM, MERCHANT = "5eb7cf5a86d9755df3a6c593", "5eb7cf5a86d9755df3a6c594"  # the ids in the recordings
NOW = "2028-01-01T00:00:00Z"  # the time at which the dates in the recordings are judged


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    url = urllib.parse.urlsplit(sys.argv[1])
    token, ids, sandbox = "any", {}, False
    status, body = ask(url, "POST", "/sandbox/worlds", {}, b"{}")
    if status == 201:  # a mock has no worlds, and takes any token and any id
        world, sandbox = json.loads(body), True
        token, ids = world["token"], {PROGRAM[:23]: world["programId"][:23], PROGRAM: world["programId"], MERCHANT: world["merchantId"]}
    sent = statuses = refusals = bodies = 0
    for file in sorted(RECORDINGS.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            case = json.loads(line)
            expected = case["expect"]
            headers = {**case["headers"], "authorization": f"Bearer {token}"}
            if sandbox and case["method"] == "POST":
                headers["sandbox-now"] = NOW
            content = base64.b64decode(case["body_base64"]) if "body_base64" in case else (case.get("body") or "").encode()
            status, body = ask(url, case["method"], renamed(case["path"], ids), headers, renamed(content, ids))
            sent += 1
            same = allows(expected["status"], status)
            statuses += same
            if "detail" in expected:
                refusals += 1
                bodies += same and detail(body) == json.loads(renamed(json.dumps(expected["detail"], ensure_ascii=False), ids))
    print(f"{sent} requests: {statuses} answers have the recorded status; {bodies} of {refusals} recorded bodies come")


def renamed(text, ids):
    """The text with the ids of the world: whole ids first, and then those that lack a digit."""
    for old, new in sorted(ids.items(), key=lambda pair: -len(pair[0])):
        for a, b in ((old, new), (old.upper(), new.upper())):
            text = text.replace(a.encode(), b.encode()) if isinstance(text, bytes) else text.replace(a, b)
    return text


def allows(expected, status):
    if expected == "2xx":
        return 200 <= status < 300
    if expected == "not 422":
        return status not in (405, 413, 415, 422) and 0 < status < 500
    return status == expected


def detail(body):
    try:
        return json.loads(body)["detail"]
    except (ValueError, KeyError, TypeError):
        return None


def ask(url, method, path, headers, content):
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    try:
        connection.request(method, path, body=content or None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""  # the server closed the connection without an answer
    finally:
        connection.close()


if __name__ == "__main__":
    main()
