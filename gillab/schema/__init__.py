"""The JSON that ``--export-json`` writes, field by field, as a JSON Schema (draft 2020-12).

``python -m gillab.schema`` prints it, and ``result.schema.json`` in this folder holds it.
"""
