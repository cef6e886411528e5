"""A bare HTTP client of the server under judgement."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ["GIFTCARDS_URL"]
USERNAME = os.environ["GIFTCARDS_USERNAME"]
PASSWORD = os.environ["GIFTCARDS_PASSWORD"]


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    def __getitem__(self, key):
        return json.loads(self.text)[key]


def call(method, path, json_body=None, form=None, token=None, headers=None, url=URL):
    """Sends one request and returns the answer, whatever its status."""
    headers, data = dict(headers or {}), None
    if json_body is not None:
        headers["Content-Type"], data = "application/json", json.dumps(json_body).encode()
    if form is not None:
        headers["Content-Type"], data = "application/x-www-form-urlencoded", urllib.parse.urlencode(form).encode()
    if token is not None:
        headers["Authorization"] = "Bearer " + token
    request = urllib.request.Request(urllib.parse.urljoin(url, path), data, headers, method=method)
    try:
        return Answer(urllib.request.urlopen(request, timeout=30))
    except urllib.error.HTTPError as refused:
        return Answer(refused)


def login():
    """Returns a fresh token of the demo user."""
    answer = call("POST", "/v2/token", form={"username": USERNAME, "password": PASSWORD})
    assert answer.status == 200, answer.text
    return answer["accessToken"]
