-- Whether a delivery was a test, which tells of no job that there is.
alter table deliveries add column test boolean not null default false;
