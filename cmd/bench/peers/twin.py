"""The peer of bench: creates cards with FastAPI and asyncpg.

It writes the same rows as the server by one prepared statement, as an experienced user of
these libraries would: uvloop, httptools, a pool, no log, a process for each processor. It
has less to do than the server: the bearer token is compared and not verified, the security
code is not sealed, the text of the message is not cleaned, and there are no limits.
"""

import hashlib
import hmac
import os
import secrets
import time
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, EmailStr, Field
from pydantic.alias_generators import to_camel

TOKEN = os.environ["TWIN_TOKEN"]
USER = bytes.fromhex(os.environ["TWIN_USER"])
Id = Annotated[str, Field(pattern="^[0-9a-f]{24}$")]


class Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class CreateGiftCardRequest(Shape):
    initial_value: Annotated[Decimal, Field(ge=Decimal("0.01"), le=10000)]
    merchant_id: Id
    customer_email: EmailStr | None = None
    customer_phone: str | None = None
    customer_name: Annotated[str | None, Field(max_length=255)] = None
    sender_name: Annotated[str | None, Field(max_length=255)] = None
    expires_at: datetime | None = None
    is_physical: bool = False
    design_template: Annotated[str | None, Field(max_length=100)] = None
    custom_message: Annotated[str | None, Field(max_length=500)] = None
    deliver_at: datetime | None = None


class GiftCardResponse(Shape):
    id: str
    card_number: str
    balance: str
    initial_value: str
    status: str
    created_at: datetime
    updated_at: datetime | None = None
    activated_at: datetime | None = None
    expires_at: datetime
    suspended_reason: str | None = None
    suspended_until: datetime | None = None
    suspended_at: datetime | None = None
    customer_id: str | None = None
    customer_email: str | None = None
    customer_phone: str | None = None
    customer_name: str | None = None
    sender_name: str | None = None
    merchant_id: str
    merchant_name: str | None = None
    is_physical: bool
    design_template: str | None = None
    custom_message: str | None = None
    last_four_digits: str
    program_id: str
    deliver_at: datetime | None = None
    delivered: bool = False
    card: None = None


CREATE = """
with k as (
    insert into idempotency_keys (program_id, operation, key, request_hash, status, answer, created_at)
    values ($1, 'createGiftCard', $2, $3, 201, $4, $5)
    on conflict on constraint idempotency_keys_pkey do nothing returning program_id
), c as (
    insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, design_template, customer_email, customer_phone,
        customer_name, sender_name, custom_message, deliver_at, expires_at, created_at, searchable)
    select $1, $6::bytea, $7::bigint, $8::bytea, $9::numeric, $10::boolean, $11::text, $12::text, $13::text, $14::text, $15::text, $16::text,
        $17::timestamptz, $18::timestamptz, $5, $12::text is null and $14::text is null from k
    returning id
), m as (
    insert into messages (program_id, card_id, channel, address, bulk, send_at, next_attempt_at, created_at)
    select $1, c.id, v.channel, v.address, false, greatest($17::timestamptz, $5), greatest($17::timestamptz, $5), $5
    from c cross join (values ('email', $12::text), ('sms', $13::text)) as v (channel, address) where v.address is not null
), a as (
    insert into audit_log (at, operation, user_id, merchant_id, program_id, subject, cards, client, request_id)
    select $5, 'createGiftCard', $19::bytea, $20::bytea, $1, c.id, 1, '127.0.0.1', $21::text from c
)
select count(*) from c
"""

REPLAY = """
select request_hash, answer from idempotency_keys where program_id = $1 and operation = 'createGiftCard' and key = $2 and subject = '\\x'
"""


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=8, max_size=8) as app.state.pool:
        yield


app = FastAPI(lifespan=lifespan, openapi_url=None)


async def authenticated(authorization: Annotated[str, Header()]) -> None:
    if not hmac.compare_digest(authorization, "Bearer " + TOKEN):
        raise HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"})


def card_number() -> str:
    """Return a 9, random digits and the check digit of Luhn, 16 digits in all."""
    payload = "9" + f"{secrets.randbelow(10**14):014d}"
    total = 0
    for place, digit in enumerate(reversed(payload)):
        value = int(digit) * (2 - place % 2)
        total += value - 9 if value > 9 else value
    return payload + str(-total % 10)


@app.post("/v2/giftcards/programs/{program_id}/cards", dependencies=[Depends(authenticated)])
async def create(
    program_id: Annotated[Id, Path()],
    body: CreateGiftCardRequest,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=255)],
) -> Response:
    now = datetime.now(timezone.utc)
    card, number = int(time.time()).to_bytes(4) + secrets.token_bytes(8), card_number()
    expires = body.expires_at or now + timedelta(days=365)
    program, digest = bytes.fromhex(program_id), hashlib.sha256(body.model_dump_json().encode()).digest()
    answer = GiftCardResponse(
        id=card.hex(), card_number=number, last_four_digits=number[-4:], balance="0.00", initial_value=f"{body.initial_value:.2f}",
        status="pending", created_at=now, expires_at=expires, customer_email=body.customer_email, customer_phone=body.customer_phone,
        customer_name=body.customer_name, sender_name=body.sender_name, merchant_id=body.merchant_id, merchant_name="Bench",
        is_physical=body.is_physical, design_template=body.design_template, custom_message=body.custom_message,
        program_id=program_id, deliver_at=body.deliver_at,
    ).model_dump_json(by_alias=True).encode()
    created = await app.state.pool.fetchval(
        CREATE, program, idempotency_key, digest, answer, now, card, int(number), secrets.token_bytes(38), body.initial_value,
        body.is_physical, body.design_template, body.customer_email, body.customer_phone, body.customer_name, body.sender_name,
        body.custom_message, body.deliver_at, expires, USER, bytes.fromhex(body.merchant_id), secrets.token_hex(16),
    )
    if created:
        return Response(answer, 201, media_type="application/json")
    row = await app.state.pool.fetchrow(REPLAY, program, idempotency_key)
    if row["request_hash"] != digest:
        raise HTTPException(422, "The key was used for another request")
    return Response(row["answer"], 201, {"Idempotent-Replayed": "true"}, "application/json")
