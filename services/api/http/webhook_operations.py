"""The operations of webhooks and their deliveries as the OpenAPI document describes them."""

from services.api.contract.models import RotationRequest, WebhookRequest
from services.api.contract.responses import (
    DeliveryDetail,
    DeliveryPage,
    Redelivery,
    RotatedWebhook,
    Webhook,
    WebhookPage,
)
from services.api.http.operation import Operation

_TAG = "Webhooks"
_HOOKS = "/api/v1/{org}/webhooks/"
_HOOK = _HOOKS + "{hook}/"
_DELIVERY = _HOOK + "deliveries/{delivery}/"
_PAGE = ("page", "page_size")
WEBHOOK_OPERATIONS = (
    Operation(
        "post",
        _HOOKS,
        "createWebhook",
        _TAG,
        "Register a webhook",
        201,
        Webhook,
        request=WebhookRequest,
        errors=(400, 413, 415),
        role="member",
    ),
    Operation(
        "get",
        _HOOKS,
        "listWebhooks",
        _TAG,
        "List webhooks",
        200,
        WebhookPage,
        query=_PAGE,
        errors=(400,),
        role="viewer",
    ),
    Operation(
        "get",
        _HOOK,
        "retrieveWebhook",
        _TAG,
        "Retrieve a webhook",
        200,
        Webhook,
        role="viewer",
    ),
    Operation(
        "put",
        _HOOK,
        "replaceWebhook",
        _TAG,
        "Replace a webhook",
        200,
        Webhook,
        request=WebhookRequest,
        errors=(400, 413, 415),
        description="Also enables one again that was disabled because its receiver answered 410.",
        role="member",
    ),
    Operation(
        "delete",
        _HOOK,
        "deleteWebhook",
        _TAG,
        "Remove a webhook",
        204,
        None,
        role="member",
    ),
    Operation(
        "post",
        _HOOK + "test/",
        "testWebhook",
        _TAG,
        "Send a webhook a test",
        202,
        Redelivery,
        description="Sent once, on the way that all deliveries go and listed among them, with `x-streams-event: webhook.test`. "
        'The body is a sample job of status `queued`, which there is not, with `client_metadata` `{"test": true}`. A disabled '
        "webhook gets it, too.",
        role="member",
    ),
    Operation(
        "post",
        _HOOK + "rotate/",
        "rotateWebhookSecret",
        _TAG,
        "Give a webhook another secret",
        200,
        RotatedWebhook,
        request=RotationRequest,
        errors=(400, 413, 415),
        description="Until `previous_secret_expires_at`, `webhook-signature` holds two signatures with a space between, of the "
        "new secret and of the one of before, as Standard Webhooks has it: receivers go on working until they know the new one. "
        "`x-streams-token` is the new one at once. The body may be left out.",
        role="member",
    ),
    Operation(
        "get",
        _HOOK + "deliveries/",
        "listDeliveries",
        _TAG,
        "List attempts to deliver",
        200,
        DeliveryPage,
        query=("job of deliveries", "outcome", *_PAGE),
        errors=(400,),
        role="viewer",
    ),
    Operation(
        "get",
        _DELIVERY,
        "retrieveDelivery",
        _TAG,
        "Look at an attempt to deliver",
        200,
        DeliveryDetail,
        description="With what was sent and the beginning of what was answered.",
        role="viewer",
    ),
    Operation(
        "post",
        _DELIVERY + "redeliver/",
        "redeliver",
        _TAG,
        "Send a delivery once more",
        202,
        Redelivery,
        role="member",
    ),
)
