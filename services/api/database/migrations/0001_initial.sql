-- What customers and operators set up. This is Postgres's own data: it is in no event.

create table organizations (
    code     text primary key,
    name     text not null,
    storage  bytea,               -- sealed s3:// address whose credentials stand in where a job's output_path has none
    created  timestamptz not null default now()
);

create table users (
    id            bigint generated always as identity primary key,
    username      text not null unique,
    password_hash text not null,  -- argon2
    created       timestamptz not null default now()
);

create table memberships (
    user_id bigint not null references users on delete cascade,
    org     text   not null references organizations on delete cascade,
    primary key (user_id, org)
);

create table tokens (
    hash    bytea primary key,    -- sha256 of the token; the token itself is shown once and never stored
    org     text not null references organizations on delete cascade,
    user_id bigint references users on delete cascade,
    created timestamptz not null default now(),
    expires timestamptz not null
);
create index tokens_of_org on tokens (org, expires);

create table webhooks (
    id       uuid primary key,
    org      text not null references organizations on delete cascade,
    url      text not null,
    secret   bytea not null,      -- sealed
    enabled  boolean not null default true,
    created  timestamptz not null default now()
);
create index webhooks_of_org on webhooks (org, created);

-- Reservations made by intake before an event says so.

create table idempotency_keys (
    org     text not null references organizations on delete cascade,
    key     text not null,
    body    bytea not null,       -- sha256 of the request body
    job     text not null,
    created timestamptz not null default now(),
    primary key (org, key)
);

create table output_claims (      -- two unfinished jobs of one organization never write to the same place
    org      text not null,
    location text not null,       -- endpoint, bucket and prefix
    job      text not null,
    claimed  timestamptz not null default now(),
    primary key (org, location)
);
create index output_claims_of_job on output_claims (job);

-- The projection of the log. All of it can be truncated and made anew by reading the log from its start.

create table jobs (
    id            text primary key,
    org           text not null,
    created       timestamptz not null,
    status        text not null,
    enable_drm    boolean not null,
    priority      smallint not null,      -- 0 low, 1 normal, 2 high
    admitted      boolean not null,
    last_sequence bigint not null,        -- of the newest event that is in `state`
    state         text not null           -- shared.job.Job as JSON
);
create index jobs_of_org on jobs (org, created, id);
create index jobs_waiting on jobs (org, priority desc, created, id) where not admitted and status = 'queued';
create index jobs_active on jobs (org) where admitted and status in ('queued', 'transcoding');

create table progress_shown (     -- the highest percentage that anyone has been shown: it never falls
    job     text primary key,
    percent smallint not null
);

create table deliveries (
    sequence        bigint primary key,   -- in the stream of deliveries
    org             text not null,
    job             text not null,
    hook            uuid not null,
    message_id      text not null,
    status          text not null,        -- the job's status that was told
    attempt         integer not null,
    at              timestamptz not null,
    outcome         text not null,
    response_status integer,
    error           text,
    duration_ms     integer not null,
    next_attempt_at timestamptz
);
create index deliveries_of_hook on deliveries (org, hook, sequence desc);

create table offsets (
    stream   text primary key,
    sequence bigint not null
);
