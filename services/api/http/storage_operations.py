"""The operations of an organization's storage as the OpenAPI document describes them."""

from services.api.contract.models import StorageRequest
from services.api.contract.storage_models import Storage, StorageTest
from services.api.http.operation import Operation

_STORAGE = "/api/v1/{org}/storage/"
_TAG = "Organizations"
STORAGE_OPERATIONS = (
    Operation(
        "get", _STORAGE, "showStorage", _TAG, "Show the storage, without its secret key", 200, Storage, role="viewer"
    ),
    Operation(
        "put",
        _STORAGE,
        "setStorage",
        _TAG,
        "Set the storage whose credentials stand in where a job has none",
        200,
        Storage,
        request=StorageRequest,
        errors=(400, 413, 415),
        description="It lends its credentials to addresses in its own bucket, and below its prefix if it has one. Jobs that were "
        "accepted before keep the credentials that they were accepted with.",
        role="admin",
    ),
    Operation(
        "post",
        _STORAGE + "test/",
        "testStorage",
        _TAG,
        "Write, read and remove an object in the storage",
        200,
        StorageTest,
        errors=(409,),
        description="The object is below the storage's prefix. 409 where no storage is set.",
        role="admin",
    ),
)
