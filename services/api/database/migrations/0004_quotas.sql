-- Quotas of an organization: null takes the setting, 0 is no limit.

alter table organizations
    add column max_unfinished_jobs     integer,
    add column max_jobs_per_hour       integer,
    add column max_requests_per_minute integer;

-- How many jobs an organization was given in an hour.
create table created_jobs (
    org  text primary key references organizations on delete cascade,
    hour timestamptz not null,
    jobs integer not null
);

-- How many unfinished jobs an organization has, those included whose requests are under way: that is how many claims on output
-- locations it has. Counted as job_counts are: each statement adds what it changes, and the sum of the rows is exact.
create table claim_counts (
    org    text not null,
    claims bigint not null    -- more, or fewer
);
create index claim_counts_of_org on claim_counts (org) include (claims);

create function count_new_claims() returns trigger language plpgsql as $$ begin
    insert into claim_counts select org, count(*) from new_rows group by org;
    return null;
end $$;

create function count_gone_claims() returns trigger language plpgsql as $$ begin
    insert into claim_counts select org, -count(*) from old_rows group by org;
    return null;
end $$;

create function count_no_claims() returns trigger language plpgsql as $$ begin
    delete from claim_counts;
    return null;
end $$;

create trigger count_new after insert on output_claims
    referencing new table as new_rows for each statement execute function count_new_claims();
create trigger count_gone after delete on output_claims
    referencing old table as old_rows for each statement execute function count_gone_claims();
create trigger count_none after truncate on output_claims for each statement execute function count_no_claims();

-- The triggers hold off all who write until this is committed.
insert into claim_counts select org, count(*) from output_claims group by org;
