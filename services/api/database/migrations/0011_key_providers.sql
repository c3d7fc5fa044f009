-- Where an organization's content keys come from, sealed; null for our own store.

alter table organizations add column key_provider bytea;
