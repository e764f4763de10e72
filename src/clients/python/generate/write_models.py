"""Writes `tertulia/models.py` from the service's OpenAPI document.

    python generate/write_models.py http://127.0.0.1:8080/openapi.json
"""

import json
import keyword
import pathlib
import sys
import textwrap
import urllib.request
from typing import Any

FILE = pathlib.Path(__file__).parent.parent / "tertulia" / "models.py"
WIDTH = 120

HEADER = '''"""The data of the gateway's interface, as typed dictionaries with the names of the OpenAPI document.

Written by `generate/write_models.py` from `/openapi.json`; a test compares both. A member that is `NotRequired` may be absent.
A value of a `Literal` type may be one that a later version of the service has added.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Literal, TypedDict, Union

if sys.version_info >= (3, 11):
    from typing import NotRequired, TypeAlias
else:
    from typing_extensions import NotRequired, TypeAlias
'''

Schema = dict[str, Any]


class Models:
    """The module, from the schemas of a document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._schemas: dict[str, Schema] = document["components"]["schemas"]

    def text(self) -> str:
        """Returns the module's text."""
        aliases, classes = [], []
        for name, schema in self._schemas.items():
            if name == "Json":
                aliases.append(alias(name, "Any", schema))
            elif is_table(schema):
                aliases.append(alias(name, self.table(schema, True), schema))
            elif "properties" in schema or "allOf" in schema or schema.get("type") == "object":
                classes.append(self.record(name, schema))
            else:
                aliases.append(alias(name, self.shape(schema, True), schema))
        return "\n\n".join([HEADER.rstrip() + "\n", *classes]) + "\n\n" + "\n".join(aliases)

    def record(self, name: str, schema: Schema) -> str:
        properties, required = self.members(schema)
        lines = []
        if any(not key.isidentifier() or keyword.iskeyword(key) for key in properties):
            return self.record_by_call(name, schema)
        for key, value in properties.items():
            shape = self.shape(value, False)
            lines.append(f"    {key}: {shape if key in required else f'NotRequired[{shape}]'}\n")
            lines.append(documentation(value, "    "))
        about = documentation(schema, "    ") or ("" if lines else '    """An object without members."""\n')
        return f"class {name}(TypedDict):\n{about}{chr(10) if about and lines else ''}{''.join(lines)}"

    def record_by_call(self, name: str, schema: Schema) -> str:
        """A dictionary with a key that no attribute can be named after."""
        properties, required = self.members(schema)
        lines = [f"{name} = TypedDict(\n    {name!r},\n    {{\n".replace("'", '"')]
        for key, value in properties.items():
            lines += [f"        # {line}\n" for line in textwrap.wrap(said(value), WIDTH - 10)]
            shape = self.shape(value, True)
            lines.append(f'        "{key}": {shape if key in required else f"NotRequired[{shape}]"},\n')
        return "".join(lines) + "    },\n)\n" + documentation(schema, "")

    def members(self, schema: Schema) -> tuple[dict[str, Schema], set[str]]:
        """The properties with those of the schemas that the schema extends, and which of them are required."""
        properties: dict[str, Schema] = {}
        required: set[str] = set()
        for part in [*schema.get("allOf", []), schema]:
            if "$ref" in part:
                properties_of_part, required_of_part = self.members(self._schemas[name_of(part)])
            else:
                properties_of_part, required_of_part = part.get("properties", {}), set(part.get("required", []))
            properties |= properties_of_part
            required |= required_of_part
        return properties, required

    def table(self, schema: Schema, runs: bool) -> str:
        value = schema.get("additionalProperties")
        shape = self.shape(value, runs) if isinstance(value, dict) else "Any"
        return f"Dict[str, {shape}]" if runs else f"dict[str, {shape}]"

    def shape(self, schema: Schema, runs: bool) -> str:
        """The type of a schema. An expression that `runs` when the module is imported must suit Python 3.10."""
        if "$ref" in schema:
            name = name_of(schema)
            return "Any" if name == "Json" else f'"{name}"' if runs else name
        if "oneOf" in schema:
            return self.union([self.shape(part, runs) for part in schema["oneOf"]], runs)
        if "enum" in schema:
            return "Literal[" + ", ".join(json.dumps(value) for value in schema["enum"]) + "]"
        types = schema.get("type")
        if isinstance(types, list):
            return self.union([self.shape({**schema, "type": each}, runs) for each in types], runs)
        if types == "array":
            items = self.shape(schema["items"], runs)
            return f"List[{items}]" if runs else f"list[{items}]"
        if types == "object":
            return self.table(schema, runs)
        simple = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
        if types == "string" and schema.get("format") == "binary":
            return "bytes"
        return simple[types] if isinstance(types, str) else "Any"

    def union(self, parts: list[str], runs: bool) -> str:
        ordered = [part for part in dict.fromkeys(parts) if part != "None"] + ["None"] * ("None" in parts)
        if "Any" in ordered:
            return "Any"
        return f"Union[{', '.join(ordered)}]" if runs else " | ".join(ordered)


def alias(name: str, shape: str, schema: Schema) -> str:
    line = f"{name}: TypeAlias = {shape}\n"
    if len(line) > WIDTH:
        outer, inner = shape[:-1].split("[", 1)
        line = f"{name}: TypeAlias = {outer}[\n" + "".join(f"    {part},\n" for part in inner.split(", ")) + "]\n"
    return line + documentation(schema, "")


def name_of(schema: Schema) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[-1]


def is_table(schema: Schema) -> bool:
    return "additionalProperties" in schema and schema["additionalProperties"] is not False and "properties" not in schema


def said(schema: Schema) -> str:
    """The description of a schema, or of the part beside null."""
    parts = [schema, *schema.get("oneOf", [])]
    texts = [part["description"] for part in parts if part.get("description")]
    return " ".join(texts[0].split()).replace("\\", "\\\\") if texts else ""


def documentation(schema: Schema, indent: str) -> str:
    text = said(schema)
    if not text:
        return ""
    lines = textwrap.wrap(f'"""{text}', WIDTH - len(indent) - 3)
    return "".join(f"{indent}{line}\n" for line in [*lines[:-1], f'{lines[-1]}"""'])


def main() -> None:
    with urllib.request.urlopen(sys.argv[1], timeout=30) as answer:
        FILE.write_text(Models(json.load(answer)).text(), encoding="utf-8")


if __name__ == "__main__":
    main()
