-- Users of the bus who follow the jobs of their organization. Of their passwords only hashes are kept.

create table bus_users (
    id            uuid primary key default gen_random_uuid(),
    org           text        not null references organizations (code),
    name          text        not null,
    username      text        not null unique,
    password_hash bytea       not null,
    created       timestamptz not null default clock_timestamp(),
    rotated       timestamptz not null default clock_timestamp()    -- connections from before end
);
create index bus_users_by_organization on bus_users (org, created, id);
