-- name: InsertAuditEntry :exec
-- Of the program's merchant, unless another one is named.
insert into audit_log (at, operation, user_id, merchant_id, program_id, subject, cards, client, request_id, client_request_id)
values (@at, @operation, @user_id, coalesce(@merchant_id::bytea, (select p.merchant_id from programs p where p.id = @program_id)),
    @program_id, @subject, @cards, @client, @request_id, @client_request_id);

-- name: ListAuditEntries :many
-- The latest first, at most @up_to; of one merchant and one user unless they are
-- null. Uses audit_log_at_idx.
select * from audit_log
where at >= @since::timestamptz
  and (@merchant_id::bytea is null or merchant_id = @merchant_id)
  and (@user_id::bytea is null or user_id = @user_id)
order by at desc limit @up_to;

-- name: ExpireAuditLog :one
-- About @batch of the oldest entries before a time, and returns how many. The
-- database refuses to let go of any from the last 30 days.
select expire_audit_log(@before::timestamptz, @batch::integer)::bigint;
