"""A TCP proxy that does to connections what bad networks do: delay, reset, silence, one byte at a time."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any

CHUNK = 65_536
LOOPBACK = "127.0.0.1"


class Proxy:
    """Passes its `port` on to `target` from a thread of its own; what it does wrong can be changed at any moment."""

    def __init__(self, target: int = 0, host: str = LOOPBACK) -> None:
        self.delay_s = 0.0
        """Of every chunk."""
        self.bytewise = False
        """Each byte of the first 64 of a chunk in a packet of its own."""
        self.silent = False
        """Connections stay open and nothing passes."""
        self.passed = 0
        """Chunks that were treated as told."""
        self.resets = 0
        self.target = target
        """Port on this machine; may be told later."""
        self._pairs: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, host, 0))
        self.host = host
        self.port: int = self._server.sockets[0].getsockname()[1]

    def reset(self) -> None:
        """Reset every connection that is open."""
        self._run(self._reset())

    def close(self) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def heal(self) -> None:
        self.delay_s, self.bytewise, self.silent = 0.0, False, False

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward_reader, onward = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:
            writer.close()
            return
        for each in (writer, onward):
            _no_delay(each)
            self._pairs.add(each)
        try:
            await asyncio.gather(self._pass(reader, onward), self._pass(onward_reader, writer))
        finally:
            self._pairs -= {writer, onward}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(CHUNK):
                while self.silent:  # noqa: ASYNC110 - set from another thread
                    await asyncio.sleep(0.02)
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self.bytewise:
                    await _in_bytes(writer, chunk)
                else:
                    writer.write(chunk)
                    await writer.drain()
                self.passed += self.delay_s > 0 or self.bytewise
        except OSError:
            return
        finally:
            writer.close()

    async def _reset(self) -> None:
        for each in list(self._pairs):
            found = each.get_extra_info("socket")
            if found is not None and not each.is_closing():
                # closing with this set sends a reset
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.transport.abort()
                self.resets += 1

    async def _close(self) -> None:
        self._server.close()
        await self._reset()
        tasks = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _in_bytes(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    for each in chunk[:64]:
        writer.write(bytes((each,)))
        await writer.drain()
    writer.write(chunk[64:])
    await writer.drain()


def _no_delay(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
