-- Jobs are found by words of their id, their input and their metadata.

-- What lies between the words: everything in ASCII but letters and digits, wherever the database was made. Each word once, cut
-- where nobody looks any more; beyond the first thousand words a job is not found.
create function words_of(given text) returns text[] language sql immutable parallel safe as $$
    select coalesce(array_agg(word), '{}')
    from (
        select distinct left(word, 64) as word
        from (
            select word from regexp_split_to_table(lower(given), '[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+') as word
            where word <> '' limit 1000
        ) as first
    ) as words
$$;

-- Letters that are spelled as escapes, as they are meant; what Postgres does not take stays as it is written.
create function plain_json(given text) returns text language plpgsql immutable parallel safe as $$ begin
    return given::jsonb::text;
exception when others then
    return given;
end $$;

-- All words of a search have to begin a word of the job. The organization stands among the words under a name that no search
-- can spell, so that the index knows whose they are.
create function search_query(of_org text, search text) returns tsquery language sql immutable parallel safe as $$
    select (quote_literal('=' || of_org) || coalesce(string_agg(format(' & %L:*', word), ''), ''))::tsquery
    from unnest(words_of(search)) as word
$$;

-- A row that cannot be read is found by its id.
create function search_words(of_org text, id text, state text) returns tsvector language plpgsql immutable parallel safe as $$
declare
    job json;
begin
    if state is json then
        job := state::json;
    end if;
    return array_to_tsvector(array['=' || of_org] || words_of(
        concat_ws(' ', id, job ->> 'input_url', plain_json(job ->> 'client_metadata'))
    ));
end $$;

-- Apart from the jobs, whose rows change with every event: this is written once for each job.
create table job_words (
    job     text primary key,
    created timestamptz not null,
    words   tsvector not null
);

create function know_words() returns trigger language plpgsql as $$ begin
    insert into job_words select id, created, search_words(org, id, state) from new_rows order by id on conflict do nothing;
    return null;
end $$;

create function forget_words() returns trigger language plpgsql as $$ begin
    delete from job_words where job in (select id from old_rows);
    return null;
end $$;

create function forget_all_words() returns trigger language plpgsql as $$ begin
    delete from job_words;
    return null;
end $$;

create trigger know_words after insert on jobs
    referencing new table as new_rows for each statement execute function know_words();
create trigger forget_words after delete on jobs
    referencing old table as old_rows for each statement execute function forget_words();
create trigger forget_all_words after truncate on jobs for each statement execute function forget_all_words();

-- The triggers hold off all who write until this is committed.
insert into job_words select id, created, search_words(org, id, state) from jobs;
create index job_words_by_word on job_words using gin (words);
