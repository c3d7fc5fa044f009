"""Where the tests let sources, storages and webhooks be."""

from shared.addresses import AddressPolicy

PUBLIC = AddressPolicy()
LOOPBACK = AddressPolicy.parse("127.0.0.0/8, ::1")
ANYWHERE = AddressPolicy.parse("0.0.0.0/0, ::/0")
