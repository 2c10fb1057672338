"""The calls that people ask about, small and large: what census looks at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CensusCall:
    """A statement whose setup finds a small and a large number under ``N``."""

    group: str
    statement: str
    setup: str
    small: int
    large: int


_BYTES = "import random; data = random.Random(1).randbytes(N)"
_WORDS = "import random; words = [str(random.Random(i).random()) for i in range(N)]"
_OBJECT = f"{_WORDS}; thing = {{'rows': [{{'id': i, 'word': w}} for i, w in enumerate(words)]}}"
_NUMBERS = "import random; numbers = [random.Random(i).random() for i in range(N)]"
_DIGITS = "import random; x = random.Random(1).getrandbits(N); y = random.Random(2).getrandbits(N)"
_FILE = (
    f"{_BYTES}; import os, tempfile; f = tempfile.TemporaryFile(); fd = f.fileno()\n"
    "f.write(data); f.flush()"
)
_SOCKETS = f"{_BYTES}; import socket; a, b = socket.socketpair()"
_ROWS = (
    "import sqlite3; db = sqlite3.connect(':memory:')\n"
    "db.execute('create table t (x, y)')\n"
    "db.executemany('insert into t values (?, ?)', ((i, i % 7) for i in range(N)))\n"
    "rows, total = 'select x, y from t', 'select sum(x * y) from t'"
)
_ARRAY = "import numpy as np; a = np.random.default_rng(1).random(N)"
_MATRIX = "import numpy as np; m = np.random.default_rng(1).random((N, N))"

_DERIVE = "from hashlib import pbkdf2_hmac; name, p, salt = 'sha256', b'secret', b'salt'"
_AUTHENTICATE = "import hmac; key, name = b'key', 'sha256'"

CALLS = tuple(
    CensusCall(group, statement, setup, small, large)
    for group, rows in {
        "hashes": (
            ("hashlib.sha256(data)", f"import hashlib; {_BYTES}", 100, 1_000_000),
            ("hashlib.md5(data)", f"import hashlib; {_BYTES}", 100, 1_000_000),
            ("hashlib.blake2b(data)", f"import hashlib; {_BYTES}", 100, 1_000_000),
            ("pbkdf2_hmac(name, p, salt, N)", _DERIVE, 10, 10_000),
            ("hmac.digest(key, data, name)", f"{_AUTHENTICATE}; {_BYTES}", 100, 1_000_000),
            ("zlib.crc32(data)", f"import zlib; {_BYTES}", 100, 1_000_000),
        ),
        "compression": (
            ("zlib.compress(data)", f"import zlib; {_BYTES}", 100, 200_000),
            (
                "zlib.decompress(packed)",
                f"import zlib; {_BYTES}; packed = zlib.compress(data)",
                100,
                1_000_000,
            ),
            ("bz2.compress(data)", f"import bz2; {_BYTES}", 100, 200_000),
            ("lzma.compress(data)", f"import lzma; {_BYTES}", 100, 50_000),
            (
                "zstd.compress(data)",
                f"from compression import zstd; {_BYTES}",
                100,
                1_000_000,
            ),
        ),
        "text and objects": (
            ("json.dumps(thing)", f"import json; {_OBJECT}", 5, 5_000),
            ("json.loads(text)", f"import json; {_OBJECT}; text = json.dumps(thing)", 5, 5_000),
            ("pickle.dumps(thing)", f"import pickle; {_OBJECT}", 5, 5_000),
            (
                "pickle.loads(packed)",
                f"import pickle; {_OBJECT}; packed = pickle.dumps(thing)",
                5,
                5_000,
            ),
            ("copy.deepcopy(thing)", f"import copy; {_OBJECT}", 5, 2_000),
            (
                "pattern.findall(text)",
                f"import re; {_WORDS}; text = ' '.join(words); pattern = re.compile('[0-4]+7')",
                5,
                20_000,
            ),
            ("''.join(words)", _WORDS, 5, 50_000),
            ("text.split()", f"{_WORDS}; text = ' '.join(words)", 5, 50_000),
            ("text.encode()", f"{_WORDS}; text = 'ß'.join(words)", 5, 50_000),
            ("base64.b64encode(data)", f"import base64; {_BYTES}", 100, 1_000_000),
            (
                "struct.unpack(form, data)",
                f"import struct; {_BYTES}; form = f'{{N}}B'",
                100,
                100_000,
            ),
            (
                "ElementTree.fromstring(text)",
                "from xml.etree import ElementTree; text = '<a>' + '<b c=\"d\">e</b>' * N + '</a>'",
                5,
                10_000,
            ),
        ),
        "files, sockets, time": (
            ("os.pread(fd, N, 0)", _FILE, 100, 1_000_000),
            ("os.pwrite(fd, data, 0)", _FILE, 100, 1_000_000),
            ("f.seek(0); f.read()", _FILE, 100, 1_000_000),
            ("os.stat('.')", "import os", 1, 1),
            ("os.listdir('/')", "import os", 1, 1),
            ("a.send(data); b.recv(N)", _SOCKETS, 100, 60_000),
            ("time.sleep(pause)", "import time; pause = N / 1e6", 1, 10_000),
            ("db.execute(total).fetchall()", _ROWS, 5, 50_000),
            ("db.execute(rows).fetchall()", _ROWS, 5, 20_000),
        ),
        "numbers and lists": (
            ("sum(numbers)", _NUMBERS, 5, 100_000),
            ("sorted(numbers)", _NUMBERS, 5, 50_000),
            ("-1.0 in numbers", _NUMBERS, 5, 100_000),
            ("x * y", _DIGITS, 100, 300_000),
            ("pow(x, y, y | 1)", _DIGITS, 64, 1024),
            ("str(x)", _DIGITS, 100, 14_000),
            ("math.factorial(N)", "import math", 10, 3_000),
            ("random.shuffle(numbers)", _NUMBERS, 5, 20_000),
        ),
        "NumPy": (
            ("np.add(a, a)", _ARRAY, 100, 1_000_000),
            ("np.sqrt(a)", _ARRAY, 100, 1_000_000),
            ("np.exp(a)", _ARRAY, 100, 1_000_000),
            ("np.add(a, a, out=b)", f"{_ARRAY}; b = a.copy()", 100, 1_000_000),
            ("a.sum()", _ARRAY, 100, 1_000_000),
            ("a.copy()", _ARRAY, 100, 1_000_000),
            ("np.sort(a)", _ARRAY, 100, 300_000),
            ("a[i]", f"{_ARRAY}; i = np.random.default_rng(2).permutation(N)", 100, 300_000),
            ("np.add(o, o)", f"{_ARRAY}; o = a.astype(object)", 100, 100_000),
            ("np.matmul(m, m)", _MATRIX, 4, 300),
            ("np.linalg.svd(m)", _MATRIX, 4, 60),
            ("np.fft.fft(a)", _ARRAY, 64, 1 << 18),
            ("rng.random(N)", "import numpy as np; rng = np.random.default_rng(1)", 100, 1_000_000),
            ("np.array(numbers)", f"import numpy as np; {_NUMBERS}", 5, 100_000),
        ),
    }.items()
    for statement, setup, small, large in rows
)
