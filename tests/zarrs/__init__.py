"""Arrays of zarr-python, read by zspy, and the other way round.

Where releases of zarr-python read the same documents differently, zspy refuses them by name:

* Chunks that are not stored, in format 2, where the fill value is
  a number in an object array (zarr-python 2 gives the number, 3 its text, HyperSpy means an empty
  cell), any in one of ``vlen-array`` that is not ragged, text in one of ``vlen-bytes``,
  a complex number with an infinity or a zero of negative sign (2 adds up ``real + 1j * imag``), or
  null in records with fields of text (3.1 fills them with ``"0"``, newer releases with no text).
* Cells of ``json2`` and ``msgpack2`` in order F, in chunks of more than one dimension
  (2 writes them in order C and reads them in order F, so that an edit mixes them up).

null in ``vlen-utf8`` and ``vlen-bytes``, and ``""`` in ``vlen-bytes``, are the empty cell, as
zarr-python 3 reads them: it leaves out chunks of empty cells by default. zarr-python 2 gives None
and ``""``, and for null in any object array without dimensions 0. It sorts the names in its
documents, by which they are known, and refused as well.

Arrays whose elements have no bytes (``S0``, ``U0``, ``V0``) are refused: zarr-python 2 writes
them, and cannot read them unless they are compressed.
"""
