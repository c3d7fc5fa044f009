"""Postgres: the pool of connections and the migrations. The ground floor: every other room may use it, it uses none."""
