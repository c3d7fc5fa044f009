-- What an organization has had fetched on a day (UTC): minutes of film and bytes, for its quotas.

alter table organizations
    add column max_source_minutes_per_day   integer,    -- null takes the setting, 0 is no limit
    add column max_source_gigabytes_per_day integer;

alter table jobs
    add column fetched        timestamptz,         -- null until the source was fetched, and for sources of before this
    add column source_seconds double precision,
    add column source_bytes   bigint;

-- As job_counts: each statement adds what it changes, and the sum of the rows is exact, also after a rebuild.
create table source_counts (
    org     text not null,
    day     date not null,
    seconds double precision not null,
    bytes   bigint not null
);
create index source_counts_of_org on source_counts (org, day) include (seconds, bytes);

create function count_new_sources() returns trigger language plpgsql as $$ begin
    insert into source_counts
    select org, (fetched at time zone 'UTC')::date, sum(source_seconds), sum(source_bytes)
    from new_rows where fetched is not null group by 1, 2;
    return null;
end $$;

create function count_gone_sources() returns trigger language plpgsql as $$ begin
    insert into source_counts
    select org, (fetched at time zone 'UTC')::date, -sum(source_seconds), -sum(source_bytes)
    from old_rows where fetched is not null group by 1, 2;
    return null;
end $$;

create function count_changed_sources() returns trigger language plpgsql as $$ begin
    insert into source_counts
    select new_rows.org, (new_rows.fetched at time zone 'UTC')::date, sum(new_rows.source_seconds), sum(new_rows.source_bytes)
    from new_rows join old_rows using (id)
    where new_rows.fetched is not null and old_rows.fetched is null group by 1, 2;
    return null;
end $$;

create function count_no_sources() returns trigger language plpgsql as $$ begin
    delete from source_counts;
    return null;
end $$;

create trigger count_new_sources after insert on jobs
    referencing new table as new_rows for each statement execute function count_new_sources();
create trigger count_gone_sources after delete on jobs
    referencing old table as old_rows for each statement execute function count_gone_sources();
create trigger count_changed_sources after update on jobs
    referencing old table as old_rows new table as new_rows for each statement execute function count_changed_sources();
create trigger count_no_sources after truncate on jobs for each statement execute function count_no_sources();
