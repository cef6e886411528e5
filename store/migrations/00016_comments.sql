-- +goose Up

-- These comments were wrong or said too little. The schema itself stays as it is.
comment on column audit_log.subject is 'The id of the card, task, user, merchant or program that the entry is about. 12 bytes are one id, and 16 bytes are the id of a task. An operation on several cards has their ids one after the other: a transfer has 24 bytes, first the id of the card that gives the value. A bulk request that needs no task has the id of its first card, and so has a download.';
comment on column audit_log.cards is 'How many cards were issued, or how many cards a command or a download read or changed; 0: the entry counts none.';
comment on column programs.activation is 'The party that activates cards. The only value is merchant, because nobody else can activate a card.';

insert into schema_compatibility (schema, oldest_program) values (16, 1) on conflict do nothing;

-- +goose Down
delete from schema_compatibility where schema = 16;
comment on column programs.activation is 'The party that activates cards: merchant.';
comment on column audit_log.cards is 'How many cards were issued.';
comment on column audit_log.subject is 'The id of the card, task or user that the change is about; an id of 16 bytes is a task''s.';
