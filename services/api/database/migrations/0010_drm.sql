-- Keys of encrypted contents. They outlive the jobs that were encrypted with them, and are in no event.

create table drm_contents (
    org        text        not null references organizations on delete cascade,
    content_id text        not null check (content_id ~ '^[0-9a-f]{32}$'),
    keys       bytea       not null,      -- sealed, in the order in which a track takes the first that is for it
    kids       text[]      not null,      -- their ids, which are no secret
    created    timestamptz not null default clock_timestamp(),
    primary key (org, content_id)
);
create index drm_contents_by_age on drm_contents (org, created, content_id);
create index drm_contents_by_kid on drm_contents using gin (kids);

-- What the callers of the key API sign their requests with.

create table drm_signing_keys (
    org     text        primary key references organizations on delete cascade,
    pair    bytea       not null,         -- sealed key and initialization vector
    rotated timestamptz not null default clock_timestamp()
);
