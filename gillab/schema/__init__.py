"""The JSON that ``--export-json`` writes, field by field, as a JSON Schema (draft 2020-12).

``python -m gillab.schema`` prints it, and ``result.schema.json`` in this folder holds it.
"""

from pathlib import Path

FILE = Path(__file__).with_name("result.schema.json")
"""The schema as it is shipped; a test holds it to what the code says."""
