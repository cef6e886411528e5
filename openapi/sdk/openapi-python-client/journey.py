"""Issues gift cards through the client that openapi-python-client makes."""

import os
import time
import uuid
from http import HTTPStatus

from client import AuthenticatedClient, Client
from client.api.gift_cards import (
    bulk_issue_gift_cards_v_2_giftcards_programs_program_id_cards_bulk_post as bulk_issue,
    create_gift_card_v_2_giftcards_programs_program_id_cards_post as create_card,
    download_gift_cards_v_2_giftcards_downloads_link_get as download,
    poll_bulk_issuance_v_2_giftcards_programs_program_id_cards_bulk_task_id_get as poll,
)
from client.api.token import (
    get_token_info_v2_token_get as token_info,
    login_for_access_token_v2_token_post as login,
    logout_v2_token_logout_post as logout,
)
from client.models import (
    BodyLoginForAccessTokenV2TokenPost,
    BulkIssuanceAsyncResponse,
    BulkIssuanceSyncResponse,
    BulkIssuanceTaskStatus,
    BulkIssueGiftCardRequest,
    CreateGiftCardRequest,
    ErrorDetail,
    GiftCardResponse,
    GiftCardStatus,
    HTTPValidationError,
    OAuth2Token,
)

URL = os.environ["GIFTCARDS_URL"]
PROGRAM = os.environ["GIFTCARDS_PROGRAM_ID"]


def passed(step):
    print("passed", step, flush=True)


credentials = BodyLoginForAccessTokenV2TokenPost(
    username=os.environ["GIFTCARDS_USERNAME"], password=os.environ["GIFTCARDS_PASSWORD"]
)
token = login.sync(client=Client(base_url=URL), body=credentials)
assert isinstance(token, OAuth2Token) and token.access_token, token
api = AuthenticatedClient(base_url=URL, token=token.access_token)
passed("token")


def create(initial_value):
    card = CreateGiftCardRequest(initial_value=initial_value, merchant_id=os.environ["GIFTCARDS_MERCHANT_ID"])
    return create_card.sync(PROGRAM, client=api, body=card)


created = create("25.10")
assert isinstance(created, GiftCardResponse), created
assert created.initial_value == "25.10" and created.status is GiftCardStatus.PENDING, created
passed("create")

refused = create("0")
assert isinstance(refused, HTTPValidationError), refused
assert refused.detail[0].loc == ["body", "initialValue"], refused
assert refused.detail[0].type_ == "greater_than_equal", refused
passed("refused")


def bulk(count, **headers):
    body = BulkIssueGiftCardRequest(initial_value="10.00", count=count)
    return bulk_issue.sync_detailed(PROGRAM, client=api, body=body, **headers)


few = bulk(50).parsed
assert isinstance(few, BulkIssuanceSyncResponse) and len(few.cards) == 50, few
passed("bulk")

key = str(uuid.uuid4())
many = bulk(500, idempotency_key=key)
assert many.status_code == HTTPStatus.ACCEPTED, many.status_code
assert isinstance(many.parsed, BulkIssuanceAsyncResponse), many.parsed
passed("task")


def completed(task_id):
    for _ in range(30):
        answer = poll.sync_detailed(PROGRAM, task_id, client=api)
        status = answer.parsed
        assert isinstance(status, BulkIssuanceTaskStatus) and status.status != "failed", status
        if status.status == "completed":
            return status
        time.sleep(int(answer.headers["Retry-After"]))
    raise TimeoutError("the task is not done after 30 polls")


task = completed(many.parsed.task_id)
assert task.issued_count == 500 and len(task.cards) == 500, task.issued_count
passed("poll")

replay = bulk(500, idempotency_key=key)
assert isinstance(replay.parsed, BulkIssuanceAsyncResponse), replay.parsed
assert replay.parsed.task_id == many.parsed.task_id
assert replay.headers["Idempotent-Replayed"] == "true"
passed("replay")

csv = download.sync(task.csv_download_url.rsplit("/", 1)[1], client=api)
assert isinstance(csv, str) and len(csv.splitlines()) == 501
passed("csv")

logout.sync_detailed(client=api)
stranger = token_info.sync(client=api)
assert isinstance(stranger, ErrorDetail) and stranger.detail, stranger
passed("logout")
