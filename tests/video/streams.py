"""A camera for tests: a server on this machine that sends a video, and then closes or falls silent."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def mpegts(path: Path, pictures: Sequence[Pixels]) -> bytes:
    """The pictures as a stream in which any place can be the first; sizes may change once."""
    av: Any = pytest.importorskip("av")
    parts = []
    sizes = [picture.shape for picture in pictures]
    starts = [index for index in range(len(sizes)) if not index or sizes[index] != sizes[index - 1]]
    for start, stop in zip(starts, [*starts[1:], len(sizes)], strict=True):
        with av.open(str(path), "w", format="mpegts") as container:
            stream = container.add_stream("mpeg2video", rate=25, options={"g": "1"})
            stream.height, stream.width = sizes[start][:2]
            stream.pix_fmt = "yuv420p"
            for picture in pictures[start:stop]:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        parts.append(path.read_bytes())
    return b"".join(parts)


@contextmanager
def server(
    content: bytes, *, pause: float = 0.02, silent: bool = False, endless: bool = False, port: int = 0
) -> Iterator[str]:
    """Serve bytes in pieces; yields the address.

    Args:
        content: what is sent.
        pause: seconds between two pieces, of which there are 20.
        silent: keep the connection at the end, as a camera that hangs.
        endless: begin anew at the end, until the client goes.
        port: to listen on; 0: any.
    """
    listener = socket.create_server(("127.0.0.1", port))
    over = Event()

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                step = len(content) // 20 + 1
                for _ in count() if endless else range(1):
                    for start in range(0, len(content), step):
                        connection.sendall(content[start : start + step])
                        time.sleep(pause)
                if silent:
                    over.wait(20)
        except OSError:
            # The client has gone, as it may.
            return

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        # Closing alone does not wake a thread that waits in `accept`.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
