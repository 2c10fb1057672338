"""Writes the schema that is shipped, after a change to what is exported."""

import json

from gillab.schema.__main__ import FILE
from gillab.schema.document import make_schema

if __name__ == "__main__":
    text = json.dumps(make_schema(), indent=1, ensure_ascii=False)
    FILE.write_text(text + "\n", encoding="utf-8")
