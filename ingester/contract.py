"""The event contract for other programs, generated from the model: JSON Schema and AsyncAPI."""

from typing import Any

from ingester.event import VALUE_BYTES_MAX, CampaignEvent

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The value of a record as JSON Schema 2020-12."""
    return {"$schema": _DIALECT, **CampaignEvent.model_json_schema()}


def asyncapi(topic: str, version: str) -> dict[str, Any]:
    """The topic as an AsyncAPI 3.0 document: key, value and limits."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Campaign events", "version": version},
        "defaultContentType": "application/json",
        "channels": {
            "campaignEvents": {
                "address": topic,
                "messages": {"campaignEvent": {"$ref": "#/components/messages/campaignEvent"}},
            }
        },
        "operations": {
            "publishCampaignEvent": {
                "action": "send",
                "channel": {"$ref": "#/channels/campaignEvents"},
            }
        },
        "components": {
            "messages": {
                "campaignEvent": {
                    "title": "Campaign event",
                    "summary": f"At most {VALUE_BYTES_MAX} bytes; identity: event_id, campaign_id "
                    "and occurred_at. CloudEvents 1.0 are accepted, binary and structured.",
                    "contentType": "application/json",
                    "payload": {
                        "schemaFormat": "application/schema+json;version=draft-2020-12",
                        "schema": json_schema(),
                    },
                    "bindings": {
                        "kafka": {
                            "key": {"type": "string", "description": "campaign_id in UTF-8"},
                            "bindingVersion": "0.5.0",
                        }
                    },
                }
            }
        },
    }
