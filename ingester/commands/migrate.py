"""`ingester migrate`."""

import json
from typing import Annotated

import typer

from ingester.settings import load_settings
from ingester.store.connection import connect
from ingester.store.migrator import grant_roles
from ingester.store.migrator import migrate as apply


def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done.")] = False,
    roles: Annotated[
        bool,
        typer.Option("--roles", help="Also create the least-privilege roles and grant them anew."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Create or upgrade the schema; safe to run again, and at once from several machines."""
    with connect(load_settings(), "ingester-migrate") as connection:
        done = apply(connection, dry_run=dry_run)
        if roles and not dry_run:
            grant_roles(connection)
    if as_json:
        typer.echo(
            json.dumps({"version": done.version, "applied": done.applied, "dry_run": dry_run})
        )
        return
    for name in done.applied:
        typer.echo(f"{'would apply' if dry_run else 'applied'} {name}")
    if roles:
        typer.echo(f"roles {'would be' if dry_run else 'are'} granted")
    state = "would be" if dry_run and done.applied else "is"
    typer.echo(f"schema {state} at version {done.version}")
