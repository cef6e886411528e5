"""Issues and uses gift cards through the client that OpenAPI Generator's python makes."""

import os
import time
import uuid

import client
from client.exceptions import BadRequestException, UnauthorizedException, UnprocessableEntityException

PROGRAM = os.environ["GIFTCARDS_PROGRAM_ID"]


def passed(step):
    print("passed", step, flush=True)


api = client.ApiClient(client.Configuration(host=os.environ["GIFTCARDS_URL"]))
tokens = client.TokenApi(api)
cards = client.GiftCardsApi(api)

token = tokens.login_for_access_token_v2_token_post(
    username=os.environ["GIFTCARDS_USERNAME"], password=os.environ["GIFTCARDS_PASSWORD"]
)
api.configuration.access_token = token.access_token
passed("token")


def create(initial_value):
    # A union is a class of its own; a plain string is refused.
    card = client.CreateGiftCardRequest(
        initial_value=client.Initialvalue(initial_value), merchant_id=os.environ["GIFTCARDS_MERCHANT_ID"]
    )
    return cards.create_gift_card_v2_giftcards_programs_program_id_cards_post(PROGRAM, card)


created = create("25.10")
assert created.initial_value == "25.10" and created.status is client.GiftCardStatus.PENDING, created
passed("create")

try:
    create("0")
    raise AssertionError("0 was accepted")
except UnprocessableEntityException as refused:
    assert isinstance(refused.data, client.HTTPValidationError), refused.data
    fault = refused.data.detail[0]
    assert [part.actual_instance for part in fault.loc] == ["body", "initialValue"], fault
    assert fault.type == "greater_than_equal", fault
passed("refused")


def activate(card_id):
    return cards.activate_gift_card_v2_giftcards_programs_program_id_cards_card_id_activate_post(
        PROGRAM, card_id, client.ActivateGiftCardRequest()
    )


active = activate(created.id)
assert active.balance == "25.10" and active.status is client.GiftCardStatus.ACTIVE, active
passed("activate")

details = cards.get_gift_card_details_v2_giftcards_programs_program_id_cards_card_id_get(
    PROGRAM, created.id, include_transactions=True
)
assert [entry.transaction_type for entry in details.transactions] == [client.GiftCardTransactionType.ACTIVATION], details
passed("details")


def redeem(amount):
    return cards.redeem_gift_card_v2_giftcards_programs_program_id_cards_card_id_redeem_post(
        PROGRAM, created.id, client.RedeemRequest(amount=client.Amount(amount))
    )


redeemed = redeem("10.00")
assert redeemed.remaining_balance == "15.10", redeemed
passed("redeem")

try:
    redeem("15.11")
    raise AssertionError("more than the balance was taken")
except BadRequestException as too_much:
    assert isinstance(too_much.data, client.ErrorDetail), too_much.data
    assert too_much.data.detail == "Insufficient gift card balance", too_much.data
passed("insufficient")

# A refund without an amount gives all of it back.
refund = cards.refund_gift_card_transaction_v2_giftcards_programs_program_id_cards_card_id_transactions_transaction_id_refund_post(
    program_id=PROGRAM,
    card_id=created.id,
    transaction_id=redeemed.transaction_id,
    refund_transaction_request=client.RefundTransactionRequest(),
)
assert refund.remaining_balance == "25.10", refund
passed("refund")

reload = cards.reload_gift_card_v2_giftcards_programs_program_id_cards_card_id_reload_post(
    PROGRAM, created.id, client.ReloadRequest(amount=client.Amount2("5.00"))
)
assert reload.balance == "30.10", reload
passed("reload")


def bulk(count, **headers):
    body = client.BulkIssueGiftCardRequest(initial_value=client.Initialvalue("10.00"), count=count)
    return cards.bulk_issue_gift_cards_v2_giftcards_programs_program_id_cards_bulk_post_with_http_info(
        PROGRAM, body, **headers
    )


few = bulk(50).data.actual_instance
assert isinstance(few, client.BulkIssuanceSyncResponse) and len(few.cards) == 50, few
passed("bulk")

key = str(uuid.uuid4())
many = bulk(500, idempotency_key=key)
assert many.status_code == 202, many.status_code
assert isinstance(many.data, client.BulkIssuanceAsyncResponse), many.data
passed("task")


def completed(task_id):
    for _ in range(30):
        answer = cards.poll_bulk_issuance_v2_giftcards_programs_program_id_cards_bulk_task_id_get_with_http_info(
            task_id=task_id, program_id=PROGRAM
        )
        assert answer.data.status != "failed", answer.data
        if answer.data.status == "completed":
            return answer.data
        time.sleep(int(answer.headers["Retry-After"]))
    raise TimeoutError("the task is not done after 30 polls")


task = completed(many.data.task_id)
assert task.issued_count == 500 and len(task.cards) == 500, task.issued_count
passed("poll")

replay = bulk(500, idempotency_key=key)
assert replay.data.task_id == many.data.task_id
assert replay.headers["Idempotent-Replayed"] == "true"
passed("replay")

csv = cards.download_gift_cards_v2_giftcards_downloads_link_get(task.csv_download_url.rsplit("/", 1)[1])
assert len(csv.splitlines()) == 501
passed("csv")

# Only the CSV has the security code that a transfer asks for.
_, code, _, _, source = csv.splitlines()[1].split(",")
activate(source)
transfer = cards.transfer_gift_card_balance_v2_giftcards_programs_program_id_cards_card_id_transfer_post(
    PROGRAM,
    source,
    client.TransferBalanceRequest(
        security_code=code, destination_card_number=created.card_number, amount=client.Amount2("4.90")
    ),
)
assert transfer.source_card.remaining_balance == "5.10", transfer
assert transfer.destination_card.new_balance == "35.00", transfer
passed("transfer")

listed = cards.get_gift_cards_v2_giftcards_programs_cards_get(program_id=PROGRAM, status=client.GiftCardStatus.ACTIVE)
assert created.id in [card.id for card in listed], listed
passed("list")

found = cards.search_gift_cards_v2_giftcards_programs_program_id_search_get(PROGRAM, q=created.card_number)
assert [(card.id, card.balance) for card in found] == [(created.id, "35.00")], found
passed("search")

tokens.logout_v2_token_logout_post()
try:
    tokens.get_token_info_v2_token_get()
    raise AssertionError("a revoked token was accepted")
except UnauthorizedException as stranger:
    assert isinstance(stranger.data, client.ErrorDetail), stranger.data
passed("logout")
