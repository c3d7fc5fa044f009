"""The contract: requests, responses, messages and errors as data. No I/O, no framework."""
