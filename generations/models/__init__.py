"""All tables. State changes of tasks go through ``lifecycle``, ledger rows through ``ledger``."""

from generations.models.budgets import Alert, AlertKind, Budget, BudgetOverride, Export, Period, Rate
from generations.models.catalogue import CatalogueEntry, EntryAction, PriceList, PriceRow, VendorAddress
from generations.models.engine import CallbackNotice, Pace, VendorRequest
from generations.models.keys import KeyProblem, KeyState, ProviderKey, RequestCount
from generations.models.ledger import EntryKind, EntrySource, UsageEntry
from generations.models.people import Invitation, Role, Theme, User
from generations.models.prompts import Asset, AssetKind, Prompt, Visibility
from generations.models.reconciliation import (
    BalanceReading,
    Difference,
    DifferenceKind,
    DifferenceState,
    Reconciliation,
    RunState,
)
from generations.models.sharing import Audience, ShareLink, ShareVisit
from generations.models.system import AllowedHost, HouseRules, Lease
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
from generations.models.totals import Grain, LedgerTotal, TaskTotal

__all__ = [
    "FORGOTTEN_AFTER",
    "FORGOTTEN_AFTER_ERRORS",
    "Alert",
    "AlertKind",
    "AllowedHost",
    "Asset",
    "AssetKind",
    "Attempt",
    "AttemptState",
    "Audience",
    "BalanceReading",
    "Batch",
    "Budget",
    "BudgetOverride",
    "CallbackNotice",
    "CatalogueEntry",
    "Creation",
    "CreationState",
    "Difference",
    "DifferenceKind",
    "DifferenceState",
    "EntryAction",
    "EntryKind",
    "EntrySource",
    "Export",
    "Grain",
    "HouseRules",
    "Invitation",
    "KeyProblem",
    "KeyState",
    "Lease",
    "LedgerTotal",
    "Pace",
    "Period",
    "PriceList",
    "PriceRow",
    "Prompt",
    "ProviderKey",
    "Rate",
    "Reconciliation",
    "RequestCount",
    "Role",
    "RunState",
    "ShareLink",
    "ShareVisit",
    "Task",
    "TaskEvent",
    "TaskInput",
    "TaskState",
    "TaskTotal",
    "Theme",
    "UsageEntry",
    "User",
    "VendorAddress",
    "VendorRequest",
    "Visibility",
]
