"""The Python client knows what the API takes and answers. It shares no code with it, so that this has to be looked after."""

import inspect
from collections.abc import Callable
from typing import Any, get_args

import pytest
from pydantic import BaseModel

import millrace_client as mc
from millrace_client import bus_users, jobs, keys, members, models, server, tokens, uploads, webhooks
from services.api.contract import account_models, drm_models, operator_models, playback, responses, timeline_models
from services.api.contract import models as requests
from services.api.contract import uploads as uploads_contract
from services.api.contract import usage as usage_models
from shared import deliveries
from shared.job import Status
from shared.media import result


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        (responses.JobItem, mc.Job),
        (responses.Waiting, mc.Waiting),
        (result.Outputs, mc.Outputs),
        (result.RenditionOutput, mc.Rendition),
        (result.AudioOutput, mc.AudioRendition),
        (result.SubtitleOutput, mc.SubtitleRendition),
        (responses.JobCounts, mc.Counts),
        (timeline_models.StageSpan, mc.StageSpan),
        (timeline_models.TimelinePart, mc.TimelinePart),
        (usage_models.Usage, mc.Usage),
        (usage_models.PeriodAmounts, mc.PeriodAmounts),
        (usage_models.EndedJobs, mc.EndedJobs),
        (responses.Webhook, mc.Webhook),
        (responses.Delivery, mc.Delivery),
        (responses.DeliveryDetail, mc.DeliveryDetail),
        (deliveries.ResponseHead, mc.ResponseHead),
        (deliveries.ResponseHeader, mc.ResponseHeader),
        (responses.Redelivery, mc.Redelivery),
        (responses.Token, mc.Token),
        (responses.LiveToken, mc.LiveToken),
        (account_models.NewToken, mc.NewToken),
        (account_models.Member, mc.Member),
        (account_models.Organization, mc.Organization),
        (operator_models.Worker, mc.Worker),
        (operator_models.UnderWay, mc.UnderWay),
        (operator_models.Queue, mc.Queue),
        (operator_models.DeadLetterDetail, mc.DeadLetterDetail),
        (operator_models.Requeued, mc.Requeued),
        (responses.NewBusUser, mc.NewBusUser),
        (responses.RotatedWebhook, mc.RotatedWebhook),
        (uploads_contract.NewUpload, mc.NewUpload),
        (uploads_contract.UploadPart, mc.UploadPart),
        (playback.Playback, mc.Playback),
        (drm_models.Content, mc.Content),
        (drm_models.ContentItem, mc.Content),
        (drm_models.Key, mc.ContentKey),
        (drm_models.KeyAddress, mc.KeyAddress),
        (responses.Message, models.Message),
    ],
)
def test_every_member_of_an_answer_is_known(answer: type[BaseModel], known: type[BaseModel]) -> None:
    missing = answer.model_fields.keys() - known.model_fields.keys() - {"type"}
    assert not missing, f"give {known.__name__} of the client these members: {missing}"


@pytest.mark.parametrize(
    ("request_model", "method"),
    [
        (requests.JobRequest, jobs.create),
        (requests.RetryRequest, jobs.retry),
        (requests.WebhookRequest, webhooks.create),
        (requests.WebhookRequest, webhooks.replace),
        (requests.LoginRequest, tokens.login),
        (requests.TokenRequest, tokens.rename),
        (account_models.NewTokenRequest, tokens.create),
        (account_models.MemberRequest, members.add),
        (account_models.RoleRequest, members.change),
        (account_models.PasswordRequest, members.change_password),
        (operator_models.DrainRequest, server.drain),
        (requests.BusUserRequest, bus_users.create),
        (requests.RotationRequest, webhooks.rotate),
        (uploads_contract.UploadRequest, uploads.begin),
        (drm_models.KeyAddressRequest, keys.sign_address),
    ],
)
def test_every_member_of_a_request_can_be_given(request_model: type[BaseModel], method: Callable[..., Any]) -> None:
    # The organization is that of the client.
    missing = request_model.model_fields.keys() - inspect.signature(method).parameters.keys() - {"organization_id"}
    assert not missing, f"give {method.__name__} of the client these parameters: {missing}"


def test_every_status_is_known() -> None:
    assert {*get_args(Status)} == {*mc.Status} - {mc.Status.UNKNOWN}
