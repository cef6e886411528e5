"""Tests of a till against a sandbox. Each test has a world of its own."""

import os
import time
import uuid

import pytest
import requests

URL = os.environ.get("GIFTCARDS_SANDBOX_URL", "http://127.0.0.1:8080")


class Till:
    """The code under test: it retries under the same key, and waits as it is told."""

    def __init__(self, card):
        self.token = {"Authorization": f"Bearer {card['token']}"}
        self.cards = f"{URL}/v2/giftcards/programs/{card['programId']}/cards"
        self.card = f"{self.cards}/{card.get('cardId')}"
        self.once = {}  # headers of the next attempt alone: here a test asks for trouble

    def redeem(self, amount):
        key = {"Idempotency-Key": str(uuid.uuid4())}
        for _ in range(3):
            once, self.once = self.once, {}
            try:
                answer = requests.post(f"{self.card}/redeem", json={"amount": amount}, headers={**self.token, **key, **once}, timeout=30)
            except requests.ConnectionError:
                continue
            if answer.status_code not in (429, 503):
                return answer
            time.sleep(int(answer.headers["Retry-After"]))
        raise TimeoutError("three attempts")


@pytest.fixture
def world():
    name = f"pytest-{uuid.uuid4()}"
    yield name
    requests.delete(f"{URL}/sandbox/worlds/{name}", timeout=30).raise_for_status()


def state(world, name):
    answer = requests.post(f"{URL}/sandbox/states", json={"state": name, "params": {"world": world}}, timeout=30)
    answer.raise_for_status()
    return answer.json()


@pytest.mark.parametrize("trouble", [{"Sandbox-Fault": "lost-answer"}, {"Sandbox-Fault": "down"}, {"Prefer": "code=429"}])
def test_a_retry_redeems_once(world, trouble):
    till = Till(state(world, "an active card"))
    till.once = trouble
    assert till.redeem("5.00").json()["remainingBalance"] == "20.00"
    asked = requests.get(f"{URL}/sandbox/requests", params={"world": world, "operation": "redeemGiftCard"}, timeout=30).json()["requests"]
    assert len(asked) == 2 and len({request["idempotencyKey"] for request in asked}) == 1


def test_a_card_that_has_expired_by_then(world):
    till = Till(state(world, "an active card"))
    till.once = {"Sandbox-Now": "2090-01-01T00:00:00Z"}
    assert till.redeem("5.00").json() == {"detail": "Gift card has expired"}
    assert till.redeem("5.00").status_code == 200


def test_a_task_that_fails(world):
    failed = state(world, "a failed task")
    till = Till(failed)
    task = requests.get(f"{till.cards}/bulk/{failed['taskId']}", headers=till.token, timeout=30).json()
    assert (task["status"], task["failedCount"]) == ("failed", 60)
