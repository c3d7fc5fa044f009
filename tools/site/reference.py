"""Pages of reference that only the site has, made from what they describe: the channels and the REST API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.api.http import docs_page
from services.api.http.openapi import document
from tools.documents.asyncapi import asyncapi

SWAGGER = Path(docs_page.__file__).parent / "swagger"
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Millrace: REST API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="swagger-ui.css">
<script src="swagger-ui-bundle.js" defer></script>
<script src="page.js" defer></script>
</head>
<body><div id="api"></div></body>
</html>
"""
# No server is behind the site that could be called.
_SCRIPT = """\
SwaggerUIBundle({
  spec: %s,
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  validatorUrl: null,
  supportedSubmitMethods: [],
});
"""


def reference() -> dict[str, bytes]:
    """The files, by their paths below the pages of the site."""
    vendored = {name: (SWAGGER / "vendor" / name).read_bytes() for name in ("swagger-ui-bundle.js", "swagger-ui.css")}
    script = _SCRIPT % json.dumps(document(), ensure_ascii=False)
    rest = {"index.html": _PAGE.encode(), "page.js": script.encode(), **vendored}
    return {
        "docs/channels.md": "\n".join(_channels(asyncapi())).encode(),
        **{f"docs/rest/{name}": content for name, content in rest.items()},
    }


def _channels(description: dict[str, Any]) -> Iterator[str]:
    """The AsyncAPI document as Markdown: each channel with its address, its parameters and the members of its messages."""
    yield f"# {description['info']['title']}\n"
    yield f"{description['info']['description']}\n"
    yield "The same for programs: [asyncapi.yaml](asyncapi.yaml), AsyncAPI 3.\n"
    components = description["components"]
    for name, channel in description["channels"].items():
        yield f"## {name}\n"
        if channel["address"]:
            yield f"`{channel['address']}`\n"
        if channel.get("description"):
            yield f"{channel['description']}\n"
        for message in channel["messages"]:
            payload = components["messages"][message].get("payload", {})
            yield from _members(_resolved(payload, components["schemas"]))
    yield "## Schemas\n"
    for name, schema in components["schemas"].items():
        if name not in description["channels"]:
            yield f"### {name}\n"
            yield from _members(schema)


def _members(schema: dict[str, Any]) -> Iterator[str]:
    if "properties" not in schema:
        return
    yield "| Member | Type | Default |"
    yield "|---|---|---|"
    required = schema.get("required", [])
    for name, member in schema["properties"].items():
        default = "required" if name in required else f"`{json.dumps(member.get('default'), ensure_ascii=False)}`"
        yield f"| `{name}` | {_type(member)} | {default} |"
    yield ""


def _type(member: dict[str, Any]) -> str:
    if "$ref" in member:
        name = member["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in member:
            return " or ".join(_type(one) for one in member[key])
    if "const" in member:
        return f"`{member['const']}`"
    if "enum" in member:
        return ", ".join(f"`{value}`" for value in member["enum"])
    if member.get("type") == "array":
        return f"list of {_type(member.get('items', {}))}"
    return str(member.get("format") or member.get("type") or "anything")


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found
