-- Lists are read from an index alone, and their counts too: in the order in which they are shown, whatever they are filtered by.

create index jobs_of_status on jobs (org, status, created, id) include (enable_drm);
drop index jobs_of_org;
create index jobs_of_org on jobs (org, created, id) include (enable_drm);

-- Reading from the index alone takes a fresh map of what all can see: by default it would wait for a fifth of the table to change.
alter table jobs set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
);

-- How many jobs there are, without counting them each time. Each statement that changes jobs adds what it changes and touches
-- no row that is there, so nobody waits for anybody; the sum of the rows is exact at any moment, for whoever sees the jobs.
-- They are drawn together now and then (services/api/projection/retention.py).
create table job_counts (
    org        text not null,
    status     text not null,
    enable_drm boolean not null,
    jobs       bigint not null    -- more, or fewer
);
create index job_counts_of_org on job_counts (org);

create function count_new_jobs() returns trigger language plpgsql as $$ begin
    insert into job_counts select org, status, enable_drm, count(*) from new_rows group by org, status, enable_drm;
    return null;
end $$;

create function count_gone_jobs() returns trigger language plpgsql as $$ begin
    insert into job_counts select org, status, enable_drm, -count(*) from old_rows group by org, status, enable_drm;
    return null;
end $$;

create function count_changed_jobs() returns trigger language plpgsql as $$ begin
    insert into job_counts
    select org, status, enable_drm, sum(jobs)
    from (
        select org, status, enable_drm, 1 as jobs from new_rows
        union all
        select org, status, enable_drm, -1 from old_rows
    ) as changes
    group by org, status, enable_drm having sum(jobs) <> 0;
    return null;
end $$;

create function count_no_jobs() returns trigger language plpgsql as $$ begin
    delete from job_counts;
    return null;
end $$;

create trigger count_new after insert on jobs
    referencing new table as new_rows for each statement execute function count_new_jobs();
create trigger count_gone after delete on jobs
    referencing old table as old_rows for each statement execute function count_gone_jobs();
create trigger count_changed after update on jobs
    referencing old table as old_rows new table as new_rows for each statement execute function count_changed_jobs();
create trigger count_none after truncate on jobs for each statement execute function count_no_jobs();

-- The triggers hold off all who write until this is committed.
insert into job_counts select org, status, enable_drm, count(*) from jobs group by org, status, enable_drm;
