"""The operations of bus users as the OpenAPI document describes them."""

from services.api.contract.models import BusUserRequest
from services.api.contract.responses import BusUser, BusUserPage, NewBusUser
from services.api.http.operation import Operation

_TAG = "Bus users"
_BUS_USERS = "/api/v1/{org}/bus_users/"
BUS_USER_OPERATIONS = (
    Operation(
        "post",
        _BUS_USERS,
        "createBusUser",
        _TAG,
        "Make a user of the bus",
        201,
        NewBusUser,
        request=BusUserRequest,
        errors=(400, 403, 413, 415),
        description="It may log in to NATS and follow the events of this organization's jobs, live and from any earlier point, "
        "and can do nothing else: docs/events.md.",
        role="admin",
    ),
    Operation(
        "get",
        _BUS_USERS,
        "listBusUsers",
        _TAG,
        "List bus users, oldest first",
        200,
        BusUserPage,
        query=("page", "page_size"),
        errors=(400, 403),
        role="admin",
    ),
    Operation(
        "get",
        _BUS_USERS + "{bus_user}/",
        "retrieveBusUser",
        _TAG,
        "Retrieve a bus user",
        200,
        BusUser,
        errors=(403,),
        role="admin",
    ),
    Operation(
        "post",
        _BUS_USERS + "{bus_user}/rotate/",
        "rotateBusUser",
        _TAG,
        "Give a bus user a new password",
        200,
        NewBusUser,
        errors=(403,),
        description="The old one stops working at once; connections that were made with it end within seconds.",
        role="admin",
    ),
    Operation(
        "delete",
        _BUS_USERS + "{bus_user}/",
        "revokeBusUser",
        _TAG,
        "Revoke a bus user",
        204,
        None,
        errors=(403,),
        description="It cannot log in from then on; its connections end within seconds.",
        role="admin",
    ),
)
