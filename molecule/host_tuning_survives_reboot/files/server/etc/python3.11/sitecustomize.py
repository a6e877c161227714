"""Keep what Python compiles of Ansible's archives: each task takes 0.1 s for it, on an emulated CPU a second.

The emulated server has this file as its own; the tests of this machine's testbed have it by PYTHONPATH.
"""

import contextlib
import hashlib
import marshal
import os
import sys
import zipimport

CACHE = f"/var/cache/detnet-testbed/compiled/{sys.implementation.cache_tag}"
compile_source = zipimport._compile_source


def cached(pathname, source):
    """Return the code of a source, from the cache if it is there."""
    path = os.path.join(CACHE, hashlib.sha256(source).hexdigest())
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        return marshal.load(file)  # noqa: S302 - only root writes there
    code = compile_source(pathname, source)
    os.makedirs(CACHE, exist_ok=True)
    written = f"{path}.{os.getpid()}"
    with open(written, "wb") as file:
        marshal.dump(code, file)
    os.rename(written, path)
    return code


if os.geteuid() == 0:
    zipimport._compile_source = cached
