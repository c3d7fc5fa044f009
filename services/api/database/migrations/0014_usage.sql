-- What the jobs of an organization have taken, by the day (UTC) on which they ended.

-- As the events tell it; null in rows of before, which a rebuild of the projection fills in.
alter table jobs
    add column rendition_seconds double precision,
    add column encode_seconds    double precision,
    add column output_bytes      bigint;

-- Jobs are pruned, their usage stays: it is moved to rows with `pruned`, which nothing takes away any more. The others are
-- exactly the sum of the jobs that are there, also after a rebuild. Numerics, so that what is added and taken away is nothing.
create table usage_days (
    org               text not null,
    day               date not null,
    status            text not null,
    pruned            boolean not null,
    jobs              bigint not null,
    source_seconds    numeric not null,
    source_bytes      numeric not null,
    rendition_seconds numeric not null,
    encode_seconds    numeric not null,
    output_bytes      numeric not null,
    primary key (org, day, status, pruned)
);

-- As job_counts: each statement adds what it changes and waits for nobody. The usage is the sum of both tables; the retention
-- draws these rows into those above.
create table usage_changes (like usage_days);
create index usage_changes_of_org on usage_changes (org, day);

create function count_new_usage() returns trigger language plpgsql as $$ begin
    insert into usage_changes
    select org, (ended at time zone 'UTC')::date, status, false, count(*),
           coalesce(sum(source_seconds::numeric), 0), coalesce(sum(source_bytes), 0), coalesce(sum(rendition_seconds::numeric), 0),
           coalesce(sum(encode_seconds::numeric), 0), coalesce(sum(output_bytes), 0)
    from new_rows where ended is not null group by 1, 2, 3;
    return null;
end $$;

create function count_gone_usage() returns trigger language plpgsql as $$ begin
    insert into usage_changes
    select org, (ended at time zone 'UTC')::date, status, false, -count(*),
           -coalesce(sum(source_seconds::numeric), 0), -coalesce(sum(source_bytes), 0), -coalesce(sum(rendition_seconds::numeric), 0),
           -coalesce(sum(encode_seconds::numeric), 0), -coalesce(sum(output_bytes), 0)
    from old_rows where ended is not null group by 1, 2, 3;
    return null;
end $$;

-- Hardly any statement changes a job that had ended before.
create function count_changed_usage() returns trigger language plpgsql as $$ begin
    insert into usage_changes
    select org, (ended at time zone 'UTC')::date, status, false, sum(sign),
           coalesce(sum(sign * source_seconds::numeric), 0), coalesce(sum(sign * source_bytes), 0),
           coalesce(sum(sign * rendition_seconds::numeric), 0), coalesce(sum(sign * encode_seconds::numeric), 0),
           coalesce(sum(sign * output_bytes), 0)
    from (
        select 1 as sign, org, ended, status, source_seconds, source_bytes, rendition_seconds, encode_seconds, output_bytes
        from new_rows where ended is not null
        union all
        select -1, org, ended, status, source_seconds, source_bytes, rendition_seconds, encode_seconds, output_bytes
        from old_rows where ended is not null
    ) as changes
    group by 1, 2, 3;
    return null;
end $$;

create function count_no_usage() returns trigger language plpgsql as $$ begin
    delete from usage_changes where not pruned;
    delete from usage_days where not pruned;
    return null;
end $$;

create trigger count_new_usage after insert on jobs
    referencing new table as new_rows for each statement execute function count_new_usage();
create trigger count_gone_usage after delete on jobs
    referencing old table as old_rows for each statement execute function count_gone_usage();
create trigger count_changed_usage after update on jobs
    referencing old table as old_rows new table as new_rows for each statement execute function count_changed_usage();
create trigger count_no_usage after truncate on jobs for each statement execute function count_no_usage();

-- The triggers hold off all who write until this is committed.
insert into usage_days
select org, (ended at time zone 'UTC')::date, status, false, count(*),
       coalesce(sum(source_seconds::numeric), 0), coalesce(sum(source_bytes), 0), 0, 0, 0
from jobs where ended is not null group by 1, 2, 3;
