"""The schema of a whole file: what is no dataclass is described here."""

from __future__ import annotations

from typing import Any

from gillab.blocks.protocol import Protocol
from gillab.blocks.record import Block
from gillab.meter.process_report import MeteredProcess
from gillab.meter.reading import Knock, Reading
from gillab.probes.messages import Delays
from gillab.release.findings import Findings
from gillab.results import SCHEMA, Control, Result
from gillab.schema.derive import Schema, derive

_RUNS = ("compare", "job", "scaling", "crossover", "transfer", "startup", "latency", "versus")
_FINDINGS = ("check", "census")

_ENVIRONMENT: dict[str, tuple[str | list[str], str]] = {
    "gillab": ("string", "The version of gillab."),
    "kernel_barrier": ("string", "How the compiler is kept from deleting the kernels' loops."),
    "kernel_compiler": ("string", "The compiler that built the kernels."),
    "python": ("string", "The version of the Python that ran the command."),
    "implementation": ("string", "`cpython`, in small letters."),
    "compiler": ("string", "The compiler that built the Python."),
    "executable": ("string", "The path of the Python."),
    "free_threaded_build": ("boolean", "Whether this Python was built to run without the GIL."),
    "gil_enabled": ("boolean", "Whether it has a GIL now."),
    "switch_interval_s": ("number", "`sys.getswitchinterval()`."),
    "platform": ("string", "The system, its version and the machine."),
    "hostname": ("string", "The machine's name."),
    "cpu_model": ("string", "The CPU's name; empty where the system does not tell."),
    "cpus": (["integer", "null"], "The CPUs that the system has; `null`: not told."),
    "cpus_affinity": ("integer", "The CPUs that the scheduler may give this process."),
    "cpu_quota": (["number", "null"], "The CPUs' worth of time that a quota allows; `null`: none."),
    "cpus_usable": ("integer", "How many CPUs this process may keep busy: affinity and quota."),
    "load_average": (
        ["array", "null"],
        "The load over 1, 5 and 15 minutes at the end; `null` where the system does not tell.",
    ),
    "command_line": ("string", "The command that made the result; absent if a script made it."),
}

_PYTHONS: Schema = {
    "type": "array",
    "description": "The other interpreters of `--python`; absent without any.",
    "items": {
        "type": "object",
        "description": "One of them, with the facts of this object that are known of it.",
        "properties": {
            "label": {"type": "string", "description": "What it is called in the result."},
            "command": {"type": "string", "description": "How it was named."},
            "status": {"type": "string", "description": "`ok`, `unavailable` or `failed`."},
            "reason": {"type": ["string", "null"], "description": "Why it is not `ok`."},
        },
        "required": ["label", "command", "status", "reason"],
        "additionalProperties": True,
    },
}
_NOT_ALWAYS = ("command_line", "pythons")


def make_schema() -> Schema:
    """Return the schema of every file of ``--export-json``."""
    definitions: dict[str, Schema] = {}
    both = {
        "options": _refer("Options", "What the run was asked to do."),
        "environment": _refer("Environment", "The machine, the Python and the build."),
    }
    blocks = _refer_to_each("Block", "What was measured, block by block.")
    run = derive(Result, definitions, command=_enumerate(_RUNS), blocks=blocks, **both)
    findings = derive(Findings, definitions, command=_enumerate(_FINDINGS), **both)
    definitions["Result"] = _number(_join_controls(run))
    definitions["Findings"] = _number(findings)
    definitions["Options"] = _describe_options(definitions)
    definitions["Environment"] = _describe_environment()
    definitions["Block"] = _describe_block(definitions)
    definitions["Meter"] = _describe_meter(definitions)
    definitions["Benchmark"] = _BENCHMARK
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:gillab:result:{SCHEMA}",
        "title": "A file of gillab's --export-json",
        "description": "Keys are added as gillab grows, and none is taken away or changes its "
        "meaning while `schema` stays the same. So a reader should leave aside what it does not "
        "know. Times are in seconds, fractions from 0 to 1; `null` is what was not measured.",
        "anyOf": [_describe_file("Result"), _describe_file("Findings"), _refer("Meter")],
        "$defs": dict(sorted(definitions.items())),
    }


def _describe_file(name: str) -> Schema:
    """Return a file that pyperf's tools load too."""
    text = "What gillab measured and concluded."
    return {
        "type": "object",
        "properties": {
            "version": {"const": "1.0", "description": "pyperf's: the version of its format."},
            "metadata": {
                "type": "object",
                "additionalProperties": {"type": ["string", "integer"]},
                "description": "pyperf's: the facts of the environment that it has a name for.",
            },
            "benchmarks": _refer_to_each(
                "Benchmark", "pyperf's: a benchmark for each cell that is ok."
            ),
            "gillab": {"$ref": f"#/$defs/{name}", "description": text},
        },
        "required": ["version", "metadata", "benchmarks", "gillab"],
    }


_BENCHMARK: Schema = {
    "type": "object",
    "description": "pyperf's: a benchmark.",
    "properties": {
        "metadata": {
            "type": "object",
            "description": "pyperf's: what is known of it.",
            "properties": {
                "name": {"type": "string", "description": "pyperf's: workload and arm, in a line."}
            },
            "required": ["name"],
        },
        "runs": {
            "type": "array",
            "description": "pyperf's: a run for each block in which all sound cells were measured.",
            "items": {
                "type": "object",
                "properties": {
                    "values": {
                        "type": "array",
                        "items": {"type": "number"},
                        "description": "pyperf's: the seconds of a task.",
                    }
                },
                "required": ["values"],
            },
        },
    },
    "required": ["metadata", "runs"],
}


def _number(schema: Schema) -> Schema:
    """Add the number of the schema, which comes before all other keys."""
    number = {"const": SCHEMA, "description": "The number of this schema."}
    return {
        **schema,
        "properties": {"schema": number, **schema["properties"]},
        "required": ["schema", *schema["required"]],
    }


def _join_controls(run: Schema) -> Schema:
    """Return the schema with both kinds of control under one key, as the file has them."""
    names = ("null", "ceiling")
    passed = "Whether all of them passed; `null` if there are too few blocks to tell."
    controls = {
        name: {
            "type": "object",
            "description": run["properties"][name]["description"],
            "properties": {
                "passed": {"type": ["boolean", "null"], "description": passed},
                "of": _refer_to_each(Control.__name__, "Each of them."),
            },
            "required": ["passed", "of"],
        }
        for name in names
    }
    properties = {name: each for name, each in run["properties"].items() if name not in names}
    properties["controls"] = {
        "type": "object",
        "description": "Arms whose result is known beforehand, and whether they had it.",
        "properties": controls,
        "required": list(names),
    }
    required = [name for name in run["required"] if name not in names]
    return {**run, "properties": properties, "required": [*required, "controls"]}


def _enumerate(commands: tuple[str, ...]) -> Schema:
    return {"enum": list(commands), "description": "Which experiment it was."}


def _refer(name: str, text: str = "") -> Schema:
    return {"$ref": f"#/$defs/{name}"} | ({"description": text} if text else {})


def _refer_to_each(name: str, text: str) -> Schema:
    return {"type": "array", "items": _refer(name), "description": text}


def _describe_options(definitions: dict[str, Schema]) -> Schema:
    return {
        **derive(Protocol, definitions),
        "description": "What the run was asked to do, with every default filled in. Here are the "
        "options of the experiments with blocks; each command may have others of its own.",
        "required": [],
        "additionalProperties": True,
    }


def _describe_environment() -> Schema:
    properties: dict[str, Any] = {
        name: {"type": kind, "description": text} for name, (kind, text) in _ENVIRONMENT.items()
    }
    properties["load_average"]["items"] = {"type": "number"}
    properties["pythons"] = _PYTHONS
    return {
        "type": "object",
        "description": "The machine, the Python and the build.",
        "properties": properties,
        "required": [name for name in properties if name not in _NOT_ALWAYS],
    }


def _describe_block(definitions: dict[str, Schema]) -> Schema:
    block = derive(Block, definitions)
    delays = derive(Delays, definitions)
    definitions[Delays.__name__] = delays
    block["properties"] |= {
        "steps": {
            "type": ["integer", "null"],
            "description": "The steps of one task, or a job's items; `null` if no arm came so far.",
        },
        "call_s": {
            "type": ["number", "null"],
            "description": "Of latency: how long one call of the workload took.",
        },
        "delays": _refer_to_each("Delays", "Of latency: what each probe noted in this round."),
    }
    # A round of latency has no order, and no CPU time by arm.
    block["required"] = ["workload", "launch", "seconds", "noise"]
    return block


def _describe_meter(definitions: dict[str, Schema]) -> Schema:
    reading = derive(Reading, definitions)
    definitions[Reading.__name__] = {
        **reading,
        "description": "What one meter read over one stretch of time.",
    }
    # Where a figure is NaN, the file has null.
    for properties in (reading["properties"], definitions[Knock.__name__]["properties"]):
        for name in properties.keys() & {
            "held",
            "interval_s",
            "cost",
            "p50_s",
            "p90_s",
            "p99_s",
            "max_s",
        }:
            properties[name]["type"] = ["number", "null"]
    definitions[MeteredProcess.__name__] = derive(MeteredProcess, definitions)
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "The file of `gillab meter`: a reading, and no cells.",
        "properties": {
            "schema": {"const": SCHEMA, "description": "The number of this schema."},
            "command": {"const": "meter", "description": "Which command it was."},
            "program": {
                "type": "array",
                "items": text,
                "description": "The program that ran, with its arguments.",
            },
            "python": {**text, "description": "The version of the Python that ran it."},
            "implementation": {**text, "description": "`CPython`."},
            "interval_s": {
                "type": ["number", "null"],
                "description": "The mean time between two samples; `null`: as the budget allows.",
            },
            "budget": {
                "type": ["number", "null"],
                "description": "The share of a CPU that the sampler was given; `null`: none.",
            },
            "process": {
                "anyOf": [_refer(MeteredProcess.__name__), {"type": "null"}],
                "description": "With `--pid`: the process; `null`: the program ran here.",
            },
            "reading": _refer(Reading.__name__, "What the meter read."),
        },
        "required": ["schema", "command", "program", "python", "implementation", "reading"],
    }
