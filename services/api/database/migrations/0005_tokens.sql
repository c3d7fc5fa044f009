-- Tokens can be told apart, named and revoked by their ids; what is stored of the tokens themselves stays secret.

alter table tokens
    add column id   uuid not null default gen_random_uuid(),
    add column name text not null default '';
create unique index tokens_by_id on tokens (id);
