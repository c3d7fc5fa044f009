-- What the keys of a content are for: those of AES-128 are given out more freely than those for DRM, so no key is for both.

alter table drm_contents add column scheme text check (scheme in ('cbcs', 'aes-128'));   -- null until somebody says

-- Of before: what the jobs were that have used it. Where they were of both kinds it stays open.
update drm_contents as content
set scheme = used.scheme
from (
    select org, state::json ->> 'drm_content_id' as content_id, min(state::json -> 'encryption' ->> 'scheme') as scheme
    from (select org, case when state is json object then state end as state from jobs) as jobs   -- others are passed over
    where state::json ->> 'drm_content_id' is not null
    group by 1, 2
    having count(distinct state::json -> 'encryption' ->> 'scheme') = 1
) as used
where content.org = used.org and content.content_id = used.content_id;
