"""The content keys of a job whose output is encrypted: out of the vault, or from the key service of its organization."""
