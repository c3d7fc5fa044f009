-- What a receiver answered, as JSON (ResponseHead in shared/deliveries.py); null where nothing was kept.
alter table deliveries add column response text;
