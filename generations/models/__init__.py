"""All tables. State changes of tasks go through ``lifecycle``, ledger rows through ``ledger``."""

from generations.models.catalogue import CatalogueEntry, EntryAction, PriceList, PriceRow, VendorAddress
from generations.models.engine import CallbackNotice, Pace, VendorRequest
from generations.models.keys import KeyProblem, KeyState, ProviderKey, RequestCount
from generations.models.ledger import EntryKind, EntrySource, UsageEntry
from generations.models.people import Theme, User
from generations.models.prompts import Asset, AssetKind, Prompt, Visibility
from generations.models.sharing import Audience, ShareLink
from generations.models.system import Lease
from generations.models.tasks import (
    FORGOTTEN_AFTER,
    FORGOTTEN_AFTER_ERRORS,
    Attempt,
    AttemptState,
    Batch,
    Creation,
    CreationState,
    Task,
    TaskEvent,
    TaskInput,
    TaskState,
)

__all__ = [
    "FORGOTTEN_AFTER",
    "FORGOTTEN_AFTER_ERRORS",
    "Asset",
    "AssetKind",
    "Attempt",
    "AttemptState",
    "Audience",
    "Batch",
    "CallbackNotice",
    "CatalogueEntry",
    "Creation",
    "CreationState",
    "EntryAction",
    "EntryKind",
    "EntrySource",
    "KeyProblem",
    "KeyState",
    "Lease",
    "Pace",
    "PriceList",
    "PriceRow",
    "Prompt",
    "ProviderKey",
    "RequestCount",
    "ShareLink",
    "Task",
    "TaskEvent",
    "TaskInput",
    "TaskState",
    "Theme",
    "UsageEntry",
    "User",
    "VendorAddress",
    "VendorRequest",
    "Visibility",
]
