-- Whether a delivery was a test, which tells of no job that there is.
alter table deliveries add column test boolean not null default false;

-- After a rotation, the secret of before signs beside the new one until its time is over.
alter table webhooks
    add column previous_secret bytea,            -- sealed
    add column previous_until  timestamptz;

-- Lists and counts by outcome.
create index deliveries_by_outcome on deliveries (org, hook, outcome, sequence desc);
