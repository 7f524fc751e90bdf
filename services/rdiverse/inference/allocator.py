"""Memory that one step of a decode loop frees is kept for the next.

glibc would give it back to the system and fetch it anew, page by page: up to a fifth of a small model's time.
"""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_KEPT_BYTES = 2**30
_LARGEST_THRESHOLD = 2**25
"""Of older releases, which refuse more."""


def keep_freed_memory() -> None:
    """Tell this process's allocator to keep what is freed. Does nothing where the C library is not glibc.

    To be called before threads are started: only the first arena can be told.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return
    libc.mallopt(_M_ARENA_MAX, 1)
    if not libc.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_THRESHOLD)
    libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
