"""Clients that keep order_service busy: `order_clients.py PORT SECONDS` says how many orders."""

import http.client
import json
import sys
import threading
import time

CLIENTS = 4
BODY = json.dumps([{"number": i, "items": i % 7, "name": f"order {i}"} for i in range(10_000)])


def order(port: int, until: float, answered: list[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < until:
        connection.request("POST", "/", BODY)
        assert json.loads(connection.getresponse().read())["items"] > 0
        answered.append(1)
    connection.close()


def main() -> None:
    answered: list[int] = []
    until = time.monotonic() + float(sys.argv[2])
    threads = [
        threading.Thread(target=order, args=(int(sys.argv[1]), until, answered))
        for _ in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{len(answered)} orders answered")


main()
