"""The rules, by what they are about. Each module has a table RULES; :mod:`checker.rules` applies them all."""
