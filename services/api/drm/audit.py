"""The record of who was given keys: a line of the log for each, without the key."""

import structlog


def key_given(how: str, org: str, content_id: str, address: str) -> None:
    """Keys were given, or the way to them.

    Args:
        how: the endpoint. address: whom the request is counted for.
    """
    structlog.get_logger().info("content key given", how=how, organization=org, content_id=content_id, address=address)


def key_refused(how: str, org: str, reason: str, address: str) -> None:
    """Somebody asked without the right to. What he asked for is not repeated: nothing vouches for it."""
    structlog.get_logger().warning("content key refused", how=how, organization=org, reason=reason, address=address)
