-- What users and tokens may do, and the sessions of browsers.

-- Whoever was there before could do everything in his organization, and still can.
alter table memberships
    add column role text not null default 'admin' check (role in ('viewer', 'member', 'admin'));

-- Of tokens from a login the user's role counts; of all others these.
alter table tokens
    add column role     text    not null default 'admin' check (role in ('viewer', 'member', 'admin')),
    add column operator boolean not null default false;

-- Operators see to the server itself. No role in an organization makes one.
alter table users
    add column operator boolean not null default false;

create table browser_sessions (
    hash    bytea       primary key,                            -- sha256 of the cookie's secret, which is not kept
    user_id bigint      references users on delete cascade,     -- who has logged in with a password
    token   uuid        references tokens (id) on delete cascade, -- or the token that the session was begun with
    created timestamptz not null default clock_timestamp(),
    expires timestamptz not null,                               -- later with each request, up to `ends`
    ends    timestamptz not null,
    check ((user_id is null) <> (token is null))
);
create index browser_sessions_of_user on browser_sessions (user_id, created);
create index browser_sessions_of_token on browser_sessions (token, created);
