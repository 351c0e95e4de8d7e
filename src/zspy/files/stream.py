"""Frames that come one after the other: chunks are filled in memory, and written when complete."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace
from itertools import chain
from math import lcm
from typing import Any

import numpy as np

from ..documents.chunks import filled
from ..stores.backends import opened, telling_where
from ..stores.base import InPlace
from ..stores.in_place import in_place, refuse_kind
from ..stores.locking import TIMEOUT
from ..values.errors import EncodeError, taking
from ..values.names import NAV_SHAPE
from ..values.root import title_of
from ..values.types import is_mapping
from .growth import Change, fitting, refuse_mask, refuse_points, writable
from .options import WriteOptions
from .stored import MASK, StoredSignal, stored_signal
from .write_arrays import ArrayToWrite, encoded
from .writer import write


class Stream(AbstractContextManager["Stream"]):
    """A stored signal that is open for frames which come one after the other.

    Made by `zspy.append`, and used as a context manager. The lock of the file is held meanwhile.
    """

    def __init__(
        self, place: Any, axis: str | int, title: str | None, options: WriteOptions
    ) -> None:
        # closed, or a row was not written: nothing may follow it
        self._ended = False
        self._written: Future[None] | None = None
        self._named: Future[None] | None = None
        self._sync = options.sync
        self._place = place
        with ExitStack() as stack:
            stack.enter_context(options.changing(place))
            with closing(opened(place)) as file:
                refuse_kind(file.kind, "filename")
                signal = stored_signal(file, title)
                if signal is None:
                    named = "" if title is None else f" {title!r}"
                    problem = f"there is no signal{named}"
                    remedy = "write its first frames first"
                    raise EncodeError(problem, "title", remedy)
                self._begin(signal, axis)
            sink = in_place(place, signal.path, durable=options.sync)
            self._sink: InPlace = stack.enter_context(sink)
            self._sink.remove_leftovers()
            # one writes, and one names what is written
            self._threads = stack.enter_context(ThreadPoolExecutor(2))
            self._open = stack.pop_all()

    def _begin(self, signal: StoredSignal, axis: str | int) -> None:
        """Read what the last chunks hold, if they are not full."""
        self._change = Change(signal, grows=True)
        self._axis = number = signal.axis_number(axis, "axis")
        refuse_points(signal, number)
        vector = signal.array(f"axis-{number}/axis")
        metadata = writable(signal, "data")
        if vector or metadata.cells or NAV_SHAPE in signal.attributes("data"):
            problem = "ragged data, and axes with a vector, grow by file_writer"
            raise EncodeError(problem, "axis", "use append_dim")
        self._metadata = metadata
        mask = signal.array(MASK)
        self._is_masked = mask is not None
        self._edge = lcm(*(one.unit[number] for one in (metadata, mask) if one))
        shape = signal.shape
        self._size = self._flushed = shape[number]
        self._frame = tuple(shape[:number] + shape[number + 1 :])
        # a row of chunks, of which the axis that grows is the first one here
        row: Any = np.empty(
            [*shape[:number], self._edge, *shape[number + 1 :]], metadata.dtype
        )
        if self._is_masked:
            row = np.ma.MaskedArray(row, True)
        self._buffer = np.moveaxis(row, number, 0)
        self._filled = filled = self._size % self._edge
        if filled:
            part = [*map(slice, shape)]
            part[number] = slice(self._size - filled, self._size)
            stored = signal.read("data", *part)
            if self._is_masked:
                stored = np.ma.MaskedArray(stored, signal.read(MASK, *part))
            self._buffer[:filled] = np.moveaxis(stored, number, 0)

    @property
    def size(self) -> int:
        """Number of frames that there are along the axis, those in memory as well."""
        return self._size

    def append(self, frames: Any) -> None:
        """Add one frame, or several along the axis.

        Parameters
        ----------
        frames : array-like
            As the stored data, with any size along the axis, or without that axis.

        Raises
        ------
        EncodeError
            If its shape or its dtype does not fit; nothing of it is added then. Also if the stream
            is closed, or has failed to write: frames that follow a gap would be misplaced.
        """
        self._refuse_ended()
        remedy = f"frames have the shape {self._frame}"
        with taking("frames"):
            try:
                frames = np.asanyarray(frames)
            except ValueError as error:
                problem = "lists of several lengths"
                raise EncodeError(problem, "frames", remedy) from error
        if frames.ndim < len(self._frame):
            raise EncodeError(f"{frames.ndim} dimensions", "frames", remedy)
        refuse_mask(self._change.signal, np.ma.getmask(frames))
        frames = fitting(frames, self._metadata)
        if frames.ndim == len(self._frame):
            frames = frames[np.newaxis]
        else:
            frames = np.moveaxis(frames, self._axis, 0)
        if frames.shape[1:] != self._frame:
            problem = f"frames of the shape {frames.shape[1:]}"
            remedy = f"they have {self._frame} in the file"
            raise EncodeError(problem, "frames", remedy)
        while len(frames):
            at = self._filled
            count = min(self._edge - at, len(frames))
            self._buffer[at : at + count] = frames[:count]
            self._filled += count
            self._size += count
            frames = frames[count:]
            if self._filled == self._edge:
                with telling_where(self._place):
                    self._write()

    def _write(self) -> None:
        """Encode the row of chunks in memory, and begin to write it.

        By then the one before has left the memory: there is no more than a row, and an encoded one.
        """
        count = self._filled
        rows = np.moveaxis(self._buffer[:count], 0, self._axis)
        corner = [0] * rows.ndim
        corner[self._axis] = self._size - count
        change = Change(self._change.signal, grows=True)
        data = np.ma.getdata(rows)
        change.plan_mask(data, np.ma.getmask(rows), corner)
        change.plan("data", data, corner)
        change.set_size(self._axis, self._size)
        self._buffer[count:] = filled(self._metadata, ())
        whole = map(self._whole, change.arrays)
        if self._written is not None and self._written.exception() is not None:
            self._wait()
        try:
            chunks = [*chain.from_iterable(map(encoded, whole))]
        except Exception:
            self._ended = True
            raise
        if self._sink.names_first:
            self._wait()
            change.put_documents(self._sink)
        submit = self._threads.submit
        # at its end, an iterator lets go of what it gave
        self._written = submit(self._sink.put_chunks, iter(chunks))
        self._named = submit(self._name, change, self._written, self._named)
        if count == self._edge:
            self._filled = 0

    def _whole(self, array: ArrayToWrite) -> ArrayToWrite:
        """Fill up the last chunks where they lie, which takes no memory."""
        end = self._filled + -self._filled % array.metadata.unit[self._axis]
        rows = np.moveaxis(self._buffer[:end], 0, self._axis)
        part = np.ma.getmask if array.path.endswith(MASK) else np.ma.getdata
        return replace(array, data=part(rows))

    def _name(self, change: Change, *before: Future[None] | None) -> None:
        """Write what names a row of chunks, which may take as long as the next row takes."""
        for job in before:
            if job is not None:
                job.result()
        change.put_documents(self._sink)
        self._change = change

    def _wait(self) -> None:
        """Wait for what is being written, and raise what it has raised."""
        try:
            if self._named is not None:
                self._named.result()
        except Exception:  # not an interruption: what is in memory is written then
            self._ended = True
            raise

    def _refuse_ended(self) -> None:
        if self._ended:
            problem = "the stream is closed, or what it wrote has failed"
            raise EncodeError(problem, "stream", "open it again, and see its size")

    def flush(self) -> None:
        """Write what is in memory: the frames so far survive whatever happens to the process."""
        self._refuse_ended()
        if self._size == self._flushed:
            return
        with telling_where(self._place):
            if self._filled:
                self._write()
            self._wait()
            self._change.update_copies(self._sink, self._sync)
        self._flushed = self._size

    def close(self) -> None:
        """Write what is in memory, and release the file."""
        with self._open:
            try:
                if not self._ended:
                    self.flush()
            finally:
                self._ended = True

    def __exit__(self, *_: object) -> None:
        self.close()


def append(
    filename: Any,
    frames: Any = None,
    axis: str | int = 0,
    *,
    title: str | None = None,
    sync: bool = True,
    storage_options: Mapping[str, Any] | None = None,
    lock: bool = True,
    lock_timeout: float = TIMEOUT,
) -> Stream:
    """Open a stored signal for frames that come one after the other.

    Frames fill whole chunks in memory, which are written when they are complete; `flush` and the
    end of the block write what is left. At every moment the file is a valid signal.

    Parameters
    ----------
    filename : path, URL, Zarr store, mutable mapping, or open database
        As for `zspy.file_writer`, but no zip file.
    frames : array-like or Signal, optional
        What to add first. A signal is written by ``file_writer(..., append_dim=axis)``, which
        makes the file where there is none. `zspy.create` makes one whose chunks, compression or
        Zarr format you choose.
    axis : str or int, default 0
        The axis along which they are added: its name, or its number in the array.
    title : str, optional
        The title of the signal, where the file holds several.
    sync : bool, default True
        Bring each chunk to the disk before what points to it.
    storage_options : mapping, optional
        For a URL: what the file system needs, such as its credentials.
    lock, lock_timeout
        As for `zspy.file_writer`.

    Returns
    -------
    Stream
        With `append(frames)`, `flush()`, `close()` and `size`.

    Raises
    ------
    EncodeError
        If there is no such signal or axis, or if the file does not grow in place.

    Examples
    --------
    >>> import numpy as np
    >>> import zspy
    >>> axes = [
    ...     {"name": "t", "size": 1, "navigate": True},
    ...     {"name": "x", "size": 4},
    ... ]
    >>> signal = {"data": np.zeros((1, 4)), "axes": axes, "metadata": {}}
    >>> with zspy.append("movie.zspy", signal, axis="t") as stream:
    ...     for number in range(9):
    ...         stream.append(np.full(4, number))
    >>> zspy.file_reader("movie.zspy")[0]["data"].shape
    (10, 4)
    """
    options = WriteOptions.of(locals(), show_progressbar=False)
    place = options.located(filename, storage_options)
    if is_mapping(frames):
        write(place, [frames], replace(options, append_dim=axis))
        title = title_of(frames) if title is None else title
        frames = None
    stream = Stream(place, axis, title, options)
    if frames is not None:
        try:
            stream.append(frames)
        except BaseException:
            stream.close()
            raise
    return stream
