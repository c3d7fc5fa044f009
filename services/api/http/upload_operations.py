"""The operations of uploads as the OpenAPI document describes them."""

from services.api.contract.uploads import NewUpload, Upload, UploadPage, UploadRequest
from services.api.http.operation import Operation

_TAG = "Uploads"
_UPLOADS = "/api/v1/{org}/uploads/"
_UPLOAD = _UPLOADS + "{upload}/"
UPLOAD_OPERATIONS = (
    Operation(
        "post",
        _UPLOADS,
        "createUpload",
        _TAG,
        "Upload a file into the organization's storage",
        201,
        NewUpload,
        request=UploadRequest,
        errors=(400, 409, 413, 415, 501),
        role="member",
        description="The file itself does not pass this server: the answer says where in the storage to PUT it to. Then give its "
        "`input_url` to a job. What no job uses is removed after some days, and so is what jobs have used when they have ended. "
        "A page of another origin than the storage needs the bucket's leave (CORS) for `PUT` and the header `Content-Type`.",
    ),
    Operation(
        "get",
        _UPLOADS,
        "listUploads",
        _TAG,
        "List uploads",
        200,
        UploadPage,
        query=("page", "page_size"),
        errors=(400,),
        role="viewer",
    ),
    Operation("get", _UPLOAD, "retrieveUpload", _TAG, "Retrieve an upload", 200, Upload, role="viewer"),
    Operation(
        "post",
        _UPLOAD + "complete/",
        "completeUpload",
        _TAG,
        "Say that all of a file was sent",
        200,
        Upload,
        errors=(409,),
        role="member",
        description="The storage is asked whether that is so; 409 says what is missing. Needed for files in parts. One in one "
        "piece is verified, and is no open upload any more.",
    ),
    Operation(
        "delete",
        _UPLOAD,
        "deleteUpload",
        _TAG,
        "Give an upload up",
        204,
        None,
        errors=(409,),
        role="member",
        description="The file is removed from the storage: in parts at once, in one piece when nobody can send it any more.",
    ),
)
