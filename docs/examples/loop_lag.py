"""A program whose asyncio loop stops, though the slow call runs in a thread."""

import asyncio
import json

TEXT = "[" + "1.5," * 4_000_000 + "1.5]"


async def main() -> None:
    """Hand the slow call to a thread, and go on."""
    task = asyncio.create_task(asyncio.to_thread(json.loads, TEXT))
    while not task.done():
        await asyncio.sleep(0.001)


asyncio.run(main())
