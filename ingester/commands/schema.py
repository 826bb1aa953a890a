"""`ingester schema`."""

import json

import typer

from ingester.event import CampaignEvent


def schema() -> None:
    """Print the event contract as JSON Schema (2020-12), for producers."""
    contract = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **CampaignEvent.model_json_schema(),
    }
    typer.echo(json.dumps(contract, indent=2))
