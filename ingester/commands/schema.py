"""`ingester schema`."""

import json
from enum import StrEnum
from importlib.metadata import version
from typing import Annotated

import typer

from ingester.contract import asyncapi, json_schema
from ingester.settings import load_settings


class Form(StrEnum):
    """The forms in which the contract can be had."""

    JSON_SCHEMA = "json-schema"
    ASYNCAPI = "asyncapi"


def schema(
    form: Annotated[
        Form, typer.Option("--format", help="JSON Schema 2020-12 of a value, or AsyncAPI 3.0.")
    ] = Form.JSON_SCHEMA,
) -> None:
    """Print the event contract, for producers."""
    contract = (
        json_schema()
        if form is Form.JSON_SCHEMA
        else asyncapi(load_settings().kafka_topic, version("campaign-event-ingester"))
    )
    typer.echo(json.dumps(contract, indent=2))
