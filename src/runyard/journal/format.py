"""The bytes of a journal. `docs/journal-format.md` describes them for other programs.

    file    = magic, header record, record*
    record  = kind u8, flags u8, schema u16, size u32, body, crc u32        little-endian; size counts all of it

Every record is written by one `write`. Its checksum is a CRC-32 that starts from RESIDUE instead of
zero. Since a CRC over data followed by its own checksum always ends in that residue, a block of any
number of intact records again ends in RESIDUE: a reader verifies megabytes with a single call of
`zlib.crc32` and looks at single records only when that fails. (Peterson and Brown 1961; the residue of
the polynomial used by zlib is 0x2144DF1C.)
"""

import struct

MAGIC = b"RUNYARD\x01"  # the last byte is the format's version
VERSION = 1
RESIDUE = 0x2144DF1C

KIND_HEADER = 1
KIND_SCHEMA = 2
KIND_ROW = 3
KIND_EVENT = 4

HEAD = struct.Struct("<BBHI")
ROW_HEAD = struct.Struct("<BBHIqq")  # head, step, time in nanoseconds since 1970 (UTC); then float64 values
CRC = struct.Struct("<I")
OVERHEAD = HEAD.size + CRC.size
ROW_OVERHEAD = ROW_HEAD.size + CRC.size

MAX_RECORD_BYTES = (
    64 << 20
)  # anything larger is a file, not a record; also bounds what damage can make a reader allocate
MAX_SCHEMAS = 1 << 16
