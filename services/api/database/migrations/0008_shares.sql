-- What of the places for jobs under way an organization may have: null takes the usual.

alter table organizations
    add column weight          double precision check (weight > 0),    -- usually 1: twice the weight, twice the places
    add column max_active_jobs integer;                                -- a setting; 0 is no limit of its own
