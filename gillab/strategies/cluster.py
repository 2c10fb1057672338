"""Workers of a Dask scheduler: of one that is started for the purpose, or of one that runs already.

gillab pickles what travels, as Dask would, and the scheduler sees bytes: it then needs none of the
user's modules, and a task is unpickled once, by its worker.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for_all
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

from gillab import __version__
from gillab.errors import UsageError
from gillab.strategies import Factory, Strategy
from gillab.strategies.cluster_worker import Initial, LoadError, explain_load, run_task
from gillab.strategies.failure import LostError, UnavailableError, describe_exception
from gillab.strategies.mapping import ChunkingExecutor

_ANSWER_S = 5.0
"""So long at most a scheduler may take to answer."""
_COMING_S = 3.0
"""And so long its workers are waited for: a nanny may be starting a lost one anew."""
_LOOK_AGAIN_S = 0.1
_CLOSE_S = 2.0
_HERE = (__version__, *sys.version_info[:2])
_ASK_VERSIONS = '(__import__("gillab").__version__, *__import__("sys").version_info[:2])'
"""As text, since what lacks gillab cannot load a function of it."""
_ADDRESS = re.compile(r"((tcp|tls|wss?)://)?[^/\s]+:\d+")
_NUMBERS = itertools.count()


class ClusterExecutor(ChunkingExecutor):
    """Gives tasks to workers of a Dask scheduler, and to no others; its end ends the connection.

    Where one of them is lost, all that is not done fails with `LostError`: another worker that took
    its place would be another measurement.
    """

    def __init__(
        self,
        client: Any,
        addresses: Sequence[str],
        initializer: Callable[..., object],
        initargs: tuple[Any, ...],
        cluster: Any = None,
    ) -> None:
        """Take a connected client; the ``cluster``, if there is one, ends with the executor."""
        self.addresses = tuple(addresses)
        self._client = client
        self._cluster = cluster
        self._loss = ""
        self._number = next(_NUMBERS)
        self._tasks = itertools.count()
        self._pending: dict[Future[Any], Any] = {}
        self._closed = False
        for address in addresses:
            client.subscribe_topic(address, partial(self._notice, address))
        # Dask lets go of it, on every worker, as soon as this client is gone, however it ended.
        self._initial = client.scatter(
            Initial(initializer, initargs), broadcast=True, workers=[*addresses], hash=False
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have some worker call the function. LostError if one is gone already."""
        return self._submit(self.addresses, fn, args, kwargs)

    def submit_to(self, address: str, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Have the worker with that address call the function."""
        return self._submit((address,), fn, args, {})

    def _submit(
        self, addresses: Sequence[str], fn: Callable[..., Any], args: Any, kwargs: Any
    ) -> Future[Any]:
        from distributed.protocol.pickle import dumps

        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if self._loss:
            raise LostError(self._loss)
        payload = dumps((fn, args, kwargs))
        task = self._client.submit(
            run_task,
            self._initial,
            payload,
            key=f"gillab-{self._client.id}-{self._number}-{next(self._tasks)}",
            pure=False,  # never from the scheduler's cache
            workers=[*addresses],
            allow_other_workers=False,
        )
        loop = self._client.loop.asyncio_loop
        future: Future[Any] = asyncio.run_coroutine_threadsafe(self._fetch(task, payload), loop)
        self._pending[future] = task
        future.add_done_callback(lambda done: self._pending.pop(done, None))
        return future

    async def _fetch(self, task: Any, payload: bytes) -> Any:
        from distributed.comm import CommClosedError
        from distributed.protocol.pickle import loads

        try:
            return loads(await self._client.gather(task, asynchronous=True))
        except LoadError:
            failures = await self._client.run(
                explain_load, payload, workers=[*self.addresses], asynchronous=True
            )
            raise LostError(name_workers(failures)) from None
        except (CancelledError, asyncio.CancelledError, CommClosedError) as error:
            if self._closed:
                raise
            self._loss = self._loss or f"the scheduler {self._client.scheduler.address} was lost"
            raise LostError(self._loss) from error

    def _notice(self, address: str, event: tuple[float, Any]) -> None:
        """Give all tasks up where a worker that was chosen has left; Dask would wait for it."""
        what = event[1]
        gone = isinstance(what, dict) and what.get("action") == "remove-worker"
        if gone and not self._closed and not self._loss:
            self._loss = f"the worker {address} was lost"
            tasks = list(self._pending.values())
            self._client.loop.add_callback(self._client.cancel, tasks, asynchronous=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the workers; end those that were started here, and their scheduler."""
        if self._closed:
            return
        if wait and not cancel_futures:
            wait_for_all(list(self._pending))
        self._closed = True
        for future in list(self._pending):
            future.cancel()
        for each in (self._client, self._cluster):
            if each is not None:
                with suppress(Exception):  # what is lost cannot be closed
                    each.close(timeout=_CLOSE_S)


def _find_obstacle() -> str | None:
    return None if find_spec("distributed") else "needs Dask: pip install 'gillab[cluster]'"


def _create(
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> ClusterExecutor:
    """Start a scheduler in this process, and workers of one thread each as its children."""
    import logging
    from multiprocessing.util import get_temp_dir

    import dask
    from distributed import Client, LocalCluster

    _set_up(dask)
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        # Any free port, for what a scheduler serves without a dashboard.
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address=None,
        # Folders of both are the launch's, and end with it.
        scheduler_kwargs={"dashboard": False, "local_directory": get_temp_dir()},
        memory_limit=0,
        local_directory=get_temp_dir(),
        silence_logs=logging.CRITICAL,
    )
    try:
        client = Client(cluster, set_as_default=False)
        return ClusterExecutor(client, [*client.nthreads()], initializer, initargs, cluster)
    except BaseException:
        cluster.close()
        raise


def _create_at(
    address: str,
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...],
    start_method: str | None,
) -> ClusterExecutor:
    import dask
    from distributed import Client

    _set_up(dask)
    try:
        client = Client(address, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise LostError(f"the scheduler {address} does not answer") from error
    try:
        return ClusterExecutor(client, _choose(client, workers), initializer, initargs)
    except BaseException:
        client.close()
        raise


def _set_up(dask: Any) -> None:
    # What a task takes along is the user's choice; a warning for each would be no news.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"})


def _choose(client: Any, workers: int) -> list[str]:
    """Return the addresses of so many workers that can run tasks. UnavailableError."""
    until = time.monotonic() + _COMING_S
    while list((threads := client.nthreads()).values()).count(1) < workers:
        if time.monotonic() > until:
            break
        time.sleep(_LOOK_AGAIN_S)
    single = sorted(address for address, count in threads.items() if count == 1)
    if len(single) < workers:
        several = len(threads) - len(single)
        words = f"the scheduler has {len(single)} of {workers} workers"
        if several:
            words += f"; {several} more run several threads: start them with --nthreads 1"
        raise UnavailableError(words)
    found = client.run(eval, _ASK_VERSIONS, workers=single, on_error="return")
    reasons = {address: _describe_versions(each) for address, each in found.items()}
    fit = [address for address in single if not reasons.get(address)]
    try:
        scheduler = client.run_on_scheduler(eval, _ASK_VERSIONS)
    except Exception as error:
        scheduler = error
    lacking = {"the scheduler": _describe_versions(scheduler)}
    if len(fit) < workers:
        lacking |= reasons
    if failing := name_workers(lacking):
        raise UnavailableError(failing)
    return fit[:workers]


def name_workers(reasons: Mapping[str, str | None]) -> str:
    """Name the workers that have a reason, those with the same together; empty where none has."""
    alike: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if reason:
            alike.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in alike.items())


def _describe_versions(found: Any) -> str:
    """Say what is wrong with what a worker has; nothing for nothing."""
    if isinstance(found, ImportError):
        return "gillab is not installed there"
    if isinstance(found, BaseException):
        return describe_exception(found)
    if tuple(found) == _HERE:
        return ""
    theirs, ours = ("gillab {} on Python {}.{}".format(*each) for each in (found, _HERE))
    return f"{theirs} there, {ours} here"


def check_scheduler(address: str) -> None:
    """Raise UsageError if no scheduler answers there; where Dask is missing, cells say so."""
    if _find_obstacle():
        return
    if not _ADDRESS.fullmatch(address):
        raise UsageError(
            f"{address!r} is no address of a Dask scheduler; give it as in --scheduler "
            "tcp://host:8786."
        )
    from distributed import Client

    try:
        with warnings.catch_warnings():  # workers of another version are told of in their cells
            warnings.simplefilter("ignore")
            Client(address, timeout=_ANSWER_S, set_as_default=False).close()
    except Exception:  # of whatever answers there
        raise UsageError(
            f"no Dask scheduler answers at {address} within {_ANSWER_S:g} s; start one with `dask "
            "scheduler`, or correct the address."
        ) from None


def _connect(address: str) -> Strategy:
    create: Factory = partial(_create_at, address)
    return replace(CLUSTER, create=create, remote=True)


CLUSTER = Strategy("cluster", _create, _find_obstacle, own_process=True, rank=4, connect=_connect)
