-- A job may run another one again that has ended: which one its first event says.

alter table jobs add column retry_of text;    -- null where a job runs none again
create index jobs_retries on jobs (retry_of, created, id) where retry_of is not null;
