-- name: InsertAuditEntry :exec
-- Without @merchant_id, the entry has the merchant of the program.
insert into audit_log (at, operation, user_id, merchant_id, program_id, subject, cards, client, request_id, client_request_id)
values (@at, @operation, @user_id, coalesce(@merchant_id::bytea, (select p.merchant_id from programs p where p.id = @program_id)),
    @program_id, @subject, @cards, @client, @request_id, @client_request_id);

-- name: ListAuditEntries :many
-- At most @up_to entries, the latest first. Null means any merchant or any user. Uses
-- audit_log_at_idx.
select * from audit_log
where at >= @since::timestamptz
  and (@merchant_id::bytea is null or merchant_id = @merchant_id)
  and (@user_id::bytea is null or user_id = @user_id)
order by at desc limit @up_to;

-- name: ExpireAuditLog :one
-- Deletes about @batch of the oldest entries before a time, and returns how many. The
-- database refuses to delete entries of the last 30 days.
select expire_audit_log(@before::timestamptz, @batch::integer)::bigint;
