-- Ended jobs do not stay for ever. A row that a replica of an older version writes after this has no `ended`; the retention
-- gives it one.

alter table jobs add column ended timestamptz;      -- null until the job has ended
update jobs set ended = case when state is json then (state::json ->> 'end_time')::timestamptz end
where status in ('completed', 'error', 'cancelled');
create index jobs_ended on jobs (ended) where status in ('completed', 'error', 'cancelled');

create index deliveries_of_job on deliveries (job);
create index idempotency_keys_of_job on idempotency_keys (job);
