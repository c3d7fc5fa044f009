-- How browsers reach what an organization keeps in its storage, where that is not as this server does.
alter table organizations
    add column public_endpoint   text,         -- of the storage's service
    add column playback_base_url text;         -- of the output, which is then not signed; {bucket} in it stands for the bucket

-- Files that customers put into their storage themselves, to give them to jobs. They are in no event.
create table uploads (
    id           uuid primary key,
    org          text not null references organizations on delete cascade,
    location     text not null,                -- s3:// address without credentials
    file         text not null,                -- its name, as it was told
    size         bigint not null,              -- bytes that were told, and must come
    part_size    bigint,                       -- null where the file comes in one piece
    multipart    text,                         -- what the storage calls an upload in parts
    state        text not null default 'open', -- open, completed, given_up, removing
    created      timestamptz not null default now(),
    expires      timestamptz not null,         -- of its addresses
    remove_after timestamptz not null          -- and not while an unfinished job uses it
);
create unique index uploads_of_org on uploads (org, location);
create index uploads_by_age on uploads (org, created desc, id);
create index uploads_to_remove on uploads (remove_after);

-- Jobs that have one as their input. A row is there before the job.
create table upload_uses (
    upload uuid not null references uploads on delete cascade,
    job    text not null,
    used   timestamptz not null default now(),
    primary key (upload, job)
);
