"""On a free-threaded build, a module that is not ready for it turns the GIL back on."""

import importlib
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path

from gillab.kernels import countdown_mixed
from gillab.meter import GilMeter, Reading

folder = Path(sys.argv[1])
source = folder / "unready.c"
source.write_text(
    "#include <Python.h>\n"
    'static struct PyModuleDef unready = {PyModuleDef_HEAD_INIT, "unready", 0, -1};\n'
    "PyMODINIT_FUNC PyInit_unready(void) { return PyModule_Create(&unready); }\n"
)
built = subprocess.run(
    [
        *("gcc", "-shared", "-fPIC", f"-I{sysconfig.get_path('include')}", str(source)),
        *("-o", str(folder / f"unready{sysconfig.get_config_var('EXT_SUFFIX')}")),
    ],
    check=False,
)
if built.returncode != 0:
    print("skip: the module did not build")
    sys.exit(0)
sys.path.insert(0, str(folder))


def work(meter: GilMeter) -> Reading:
    """Hold the lock half of the time, until the sampler has seen some of it."""
    before = meter.read()
    for _ in range(50):
        countdown_mixed(300_000_000, 0.5, 300_000)
        reading = meter.read() - before
        if reading.samples >= 500:
            return reading
    print(f"skip: the sampler was starved: {reading.samples} samples were taken")
    sys.exit(0)


with GilMeter() as meter:
    without = work(meter)
    warnings.simplefilter("ignore")
    importlib.import_module("unready")
    under = work(meter)
assert (without.gil_enabled, without.held, without.threads) == (False, 0.0, {}), without
assert under.gil_enabled, under
assert list(under.threads)[:1] == ["MainThread"], under
low, high = under.held_interval
assert low - 0.05 <= 0.5 <= high + 0.05, under
print("ok")
