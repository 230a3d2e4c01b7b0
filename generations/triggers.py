"""The database itself refuses to change or delete rows of the ledger, whoever asks it."""

from typing import Any

TABLE = "generations_usageentry"
REFUSAL = "Ledger rows are never changed or deleted; write a reversing row."
SQLITE = (
    *(
        f"CREATE TRIGGER IF NOT EXISTS ledger_no_{verb} BEFORE {verb.upper()} ON {TABLE} "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        for verb in ("update", "delete")
    ),
    # "INSERT OR REPLACE" deletes without telling the other trigger, whichever unique column it meets.
    "DROP TRIGGER IF EXISTS ledger_no_replace",
    "CREATE TRIGGER ledger_no_replace BEFORE INSERT ON generations_usageentry WHEN EXISTS "  # noqa: S608
    "(SELECT 1 FROM generations_usageentry WHERE id = NEW.id OR once = NEW.once) OR NEW.kind = 'settle' AND EXISTS "
    "(SELECT 1 FROM generations_usageentry WHERE task_id = NEW.task_id AND kind = 'settle') "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
)
POSTGRESQL = (
    f"""CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    f"DROP TRIGGER IF EXISTS ledger_no_change ON {TABLE}",
    f"CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION ledger_refuse()",
    f"DROP TRIGGER IF EXISTS ledger_no_truncate ON {TABLE}",
    f"CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON {TABLE} EXECUTE FUNCTION ledger_refuse()",
)
NAMES = {
    "sqlite": ("ledger_no_update", "ledger_no_delete", "ledger_no_replace"),
    "postgresql": ("ledger_no_change", "ledger_no_truncate"),
}


def install(_apps: Any, schema_editor: Any) -> None:
    """For a migration. SQLite makes a table anew to alter it and drops its triggers: then install them again."""
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def remove(_apps: Any, schema_editor: Any) -> None:
    for statement in removals(schema_editor.connection.vendor):
        schema_editor.execute(statement)


def removals(vendor: str) -> list[str]:
    where = f" ON {TABLE}" if vendor == "postgresql" else ""
    return [f"DROP TRIGGER IF EXISTS {name}{where}" for name in NAMES[vendor]]
