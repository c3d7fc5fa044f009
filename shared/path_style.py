"""Path style (``host/bucket/key``) or virtual-hosted style (``bucket.host/key``): which one a service takes."""

from typing import TYPE_CHECKING, Any

from botocore.awsrequest import prepare_request_dict

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_FORCE_PATH_STYLE = "AWS::S3::ForcePathStyle"
# Alibaba OSS, Tencent COS, Huawei OBS, Volcengine TOS; the others are told by their words.
_REFUSALS = ("SecondLevelDomainForbidden", "PathStyleDomainForbidden", "VirtualHostDomainRequired", "InvalidPathAccess")


def wants_virtual_hosts(status: int, code: str, message: str) -> bool:
    """Whether an answer says that the service takes no path-style addresses."""
    words = message.lower()
    return 400 <= status < 500 and (code in _REFUSALS or ("virtual" in words and ("host" in words or "style" in words)))


class VirtualHostsOnDemand:
    """Makes a client of path style go over to virtual-hosted addresses once the service has asked for them."""

    def __init__(self, client: "S3Client") -> None:
        self._client: Any = client
        self._asked_for = False

    def install(self) -> None:
        """Watch the client's answers."""
        events = self._client.meta.events
        # After botocore's own, which puts down the style that the client was made with.
        events.register_last("before-endpoint-resolution.s3", self._resolve)
        events.register("needs-retry.s3", self._retry)

    def _resolve(self, builtins: dict[str, Any], params: Any, context: dict[str, Any], **_: object) -> None:
        # Kept for a second resolution of the same request.
        context["call_params"] = params
        if self._asked_for:
            builtins[_FORCE_PATH_STYLE] = False

    async def _retry(self, request_dict: dict[str, Any], response: Any, operation: Any, **_: object) -> float | None:
        """Seconds until the request is sent again, at its new address; None where that is not for this handler to say."""
        if response is None:
            return None
        error = response[1].get("Error", {})
        if not wants_virtual_hosts(response[0].status_code, str(error.get("Code")), str(error.get("Message"))):
            return None
        self._asked_for = True
        before, context = request_dict["url"], request_dict["context"]
        found = await self._client._ruleset_resolver.construct_endpoint(
            operation_model=operation, call_args=context.get("call_params"), request_context=context
        )
        prepare_request_dict(request_dict, found.url, context)
        # A host that is a number cannot have names below it: then the answer stands.
        return None if request_dict["url"] == before else 0
