# The part of numcodecs that zspy uses, for 0.16.6 to 0.17. The library has no types of its own.
# MsgPack is there only where msgpack is installed, CRC32C where google-crc32c or crc32c is.
from numcodecs import abc as abc, blosc as blosc, registry as registry
from numcodecs.astype import AsType as AsType
from numcodecs.bitround import BitRound as BitRound
from numcodecs.blosc import Blosc as Blosc
from numcodecs.bz2 import BZ2 as BZ2
from numcodecs.checksum32 import (
    CRC32 as CRC32,
    CRC32C as CRC32C,
    Adler32 as Adler32,
    JenkinsLookup3 as JenkinsLookup3,
)
from numcodecs.delta import Delta as Delta
from numcodecs.fixedscaleoffset import FixedScaleOffset as FixedScaleOffset
from numcodecs.fletcher32 import Fletcher32 as Fletcher32
from numcodecs.gzip import GZip as GZip
from numcodecs.json import JSON as JSON
from numcodecs.lz4 import LZ4 as LZ4
from numcodecs.lzma import LZMA as LZMA
from numcodecs.msgpacks import MsgPack as MsgPack
from numcodecs.packbits import PackBits as PackBits
from numcodecs.quantize import Quantize as Quantize
from numcodecs.registry import get_codec as get_codec, register_codec as register_codec
from numcodecs.shuffle import Shuffle as Shuffle
from numcodecs.vlen import (
    VLenArray as VLenArray,
    VLenBytes as VLenBytes,
    VLenUTF8 as VLenUTF8,
)
from numcodecs.zlib import Zlib as Zlib
from numcodecs.zstd import Zstd as Zstd

__version__: str
