"""What UniAll says of a task. [docs] is UniAll's own page "Create Video Task (Old)" and its overview.

The answer to a create is printed [docs], none to a query is: three shapes are accepted, after docs.newapi.pro and
sibling gateways [inferred].

    A   {"object", "id", "status": "completed", "progress": 100, "metadata": {"url"}, "error": {"message", "code"}}
    B   {"code": "success", "data": {"task_id", "status": "SUCCESS", "progress": "100%", "result_url", "fail_reason",
         "data": what Vidu said}}
    C   {"task_id", "status": "completed", "url", "error": {"code", "message"}}
"""

import re
from typing import Any

from . import gateway, reading, wire
from .base import Answer, Failure, Output, RemoteState, Snapshot, Unit

STATES = {  # A and C, then B
    "queued": RemoteState.QUEUED,
    "in_progress": RemoteState.PROCESSING,
    "processing": RemoteState.PROCESSING,
    "completed": RemoteState.SUCCEEDED,
    "failed": RemoteState.FAILED,
    "NOT_START": RemoteState.QUEUED,
    "SUBMITTED": RemoteState.QUEUED,
    "QUEUED": RemoteState.QUEUED,
    "IN_PROGRESS": RemoteState.PROCESSING,
    "SUCCESS": RemoteState.SUCCEEDED,
    "FAILURE": RemoteState.FAILED,
}


class Job(gateway.Job):
    progress: wire.Percent = None
    metadata: wire.Mapped = {}
    video_url: wire.Link = ""
    url: wire.Link = ""
    result_url: wire.Link = ""
    fail_reason: wire.Text = ""
    error: Any = None
    data: wire.Mapped = {}  # in B, what Vidu said

    @property
    def creation(self) -> dict[str, Any]:
        """The first result as Vidu told it."""
        return dict(next(iter(wire.objects(self.data.get("creations"))), {}))

    @property
    def link(self) -> str:
        """In B the reason of a failure may hold the address of a success."""
        told = [self.metadata.get("url"), self.video_url, self.url, self.result_url, self.creation.get("url")]
        return next(filter(None, map(wire.link, [*told, self.fail_reason])), "")


class Model(wire.Wire):
    id: str


class Models(wire.Wire):
    data: list[Model]


def read(answer: Answer) -> Job | None:
    """The task of an answer, out of the envelope that B has; None when it speaks of none."""
    return wire.read_ok(Job, answer, _unwrapped)


def snapshot(job: Job) -> Snapshot:
    """``credits`` are what Vidu took of UniAll, which need not be what UniAll takes [inferred]; A and C say nothing."""
    return reading.snapshot(
        job.id,
        job.status,
        STATES,
        unit=Unit.CREDIT,
        outputs=_outputs(job),
        failure=_failure(job),
        cost=job.data.get("credits"),
        progress=job.progress,
    )


def _unwrapped(body: Any) -> object:
    outer = wire.mapping(body)
    return outer.get("data") if outer.get("code") == "success" else body


def _outputs(job: Job) -> list[Output]:
    creation = job.creation
    cover = wire.link(creation.get("cover_url"))
    return [reading.output(0, job.link, remote_id=wire.word(creation.get("id")), cover_url=cover)] if job.link else []


def _failure(job: Job) -> Failure:
    """In B a single word is a name, such as ``ImageDownloadFailure``, and more are prose."""
    if job.error:
        words = gateway.said({"error": job.error})
        return gateway.failure(words.code, words.text)
    named = re.fullmatch(r"\w{1,100}", job.fail_reason)
    code = job.fail_reason if named else wire.word(job.data.get("err_code"))
    return gateway.failure(code, "" if named else job.fail_reason)
