"""Issues and uses gift cards through the client that openapi-python-client makes."""

import os
import time
import uuid
from http import HTTPStatus

from client import AuthenticatedClient, Client
from client.api.gift_cards import (
    activate_gift_card_v_2_giftcards_programs_program_id_cards_card_id_activate_post as activate_card,
    bulk_issue_gift_cards_v_2_giftcards_programs_program_id_cards_bulk_post as bulk_issue,
    create_gift_card_v_2_giftcards_programs_program_id_cards_post as create_card,
    download_gift_cards_v_2_giftcards_downloads_link_get as download,
    get_gift_card_details_v_2_giftcards_programs_program_id_cards_card_id_get as card_details,
    get_gift_cards_v_2_giftcards_programs_cards_get as list_cards,
    poll_bulk_issuance_v_2_giftcards_programs_program_id_cards_bulk_task_id_get as poll,
    redeem_gift_card_v_2_giftcards_programs_program_id_cards_card_id_redeem_post as redeem_card,
    refund_gift_card_transaction_v_2_giftcards_programs_program_id_cards_card_id_transactions_transaction_id_refund_post as refund_transaction,
    reload_gift_card_v_2_giftcards_programs_program_id_cards_card_id_reload_post as reload_card,
    search_gift_cards_v_2_giftcards_programs_program_id_search_get as search_cards,
    transfer_gift_card_balance_v_2_giftcards_programs_program_id_cards_card_id_transfer_post as transfer_balance,
)
from client.api.token import (
    get_token_info_v2_token_get as token_info,
    login_for_access_token_v2_token_post as login,
    logout_v2_token_logout_post as logout,
)
from client.models import (
    ActivateGiftCardRequest,
    BodyLoginForAccessTokenV2TokenPost,
    BulkIssuanceAsyncResponse,
    BulkIssuanceSyncResponse,
    BulkIssuanceTaskStatus,
    BulkIssueGiftCardRequest,
    CreateGiftCardRequest,
    ErrorDetail,
    GiftCardDetailsResponse,
    GiftCardResponse,
    GiftCardStatus,
    GiftCardTransactionType,
    HTTPValidationError,
    OAuth2Token,
    RedeemRequest,
    RedeemResponse,
    RefundTransactionRequest,
    RefundTransactionResponse,
    ReloadRequest,
    TransferBalanceRequest,
    TransferBalanceResponse,
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


active = activate_card.sync(PROGRAM, created.id, client=api, body=ActivateGiftCardRequest())
assert isinstance(active, GiftCardResponse), active
assert active.balance == "25.10" and active.status is GiftCardStatus.ACTIVE, active
passed("activate")

details = card_details.sync(PROGRAM, created.id, client=api, include_transactions=True)
assert isinstance(details, GiftCardDetailsResponse), details
assert [entry.transaction_type for entry in details.transactions] == [GiftCardTransactionType.ACTIVATION], details
passed("details")


def redeem(amount):
    return redeem_card.sync_detailed(PROGRAM, created.id, client=api, body=RedeemRequest(amount=amount))


redeemed = redeem("10.00").parsed
assert isinstance(redeemed, RedeemResponse) and redeemed.remaining_balance == "15.10", redeemed
passed("redeem")

too_much = redeem("15.11")
assert too_much.status_code == HTTPStatus.BAD_REQUEST, too_much
assert isinstance(too_much.parsed, ErrorDetail), too_much
assert too_much.parsed.detail == "Insufficient gift card balance", too_much
passed("insufficient")

# A refund without an amount gives all of it back.
refund = refund_transaction.sync(
    program_id=PROGRAM,
    card_id=created.id,
    transaction_id=redeemed.transaction_id,
    client=api,
    body=RefundTransactionRequest(),
)
assert isinstance(refund, RefundTransactionResponse) and refund.remaining_balance == "25.10", refund
passed("refund")

reload = reload_card.sync(PROGRAM, created.id, client=api, body=ReloadRequest(amount="5.00"))
assert isinstance(reload, GiftCardResponse) and reload.balance == "30.10", reload
passed("reload")


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

# Only the CSV has the security code that a transfer asks for.
_, code, _, _, source = csv.splitlines()[1].split(",")
activate_card.sync(PROGRAM, source, client=api, body=ActivateGiftCardRequest())
transfer = transfer_balance.sync(
    PROGRAM,
    source,
    client=api,
    body=TransferBalanceRequest(security_code=code, destination_card_number=created.card_number, amount="4.90"),
)
assert isinstance(transfer, TransferBalanceResponse), transfer
assert transfer.source_card.remaining_balance == "5.10", transfer
assert transfer.destination_card.new_balance == "35.00", transfer
passed("transfer")

listed = list_cards.sync(client=api, program_id=PROGRAM, status=GiftCardStatus.ACTIVE)
assert isinstance(listed, list) and created.id in [card.id for card in listed], listed
passed("list")

found = search_cards.sync(PROGRAM, client=api, q=created.card_number)
assert isinstance(found, list) and [(card.id, card.balance) for card in found] == [(created.id, "35.00")], found
passed("search")

logout.sync_detailed(client=api)
stranger = token_info.sync(client=api)
assert isinstance(stranger, ErrorDetail) and stranger.detail, stranger
passed("logout")
