"""What a running process holds in memory, read as root reads it."""

import base64
import os
import re
import time
from pathlib import Path

# What a client has got an answer to may be in the server's hands for a moment more.
SETTLE_SECONDS = 10


def forms(name, secret):
    """A secret as it stands, in base64 (without the end, which depends on what follows) and in hexadecimal."""
    encoded = base64.b64encode(secret)
    return {
        name: secret,
        f"{name} in base64": encoded[: len(secret) // 3 * 4],
        f"{name} in base64url": encoded[: len(secret) // 3 * 4].translate(bytes.maketrans(b"+/", b"-_")),
        f"{name} in hexadecimal": secret.hex().encode(),
    }


def held(pid, needles):
    """The names of the needles that occur in any mapping that can be read: heap, stacks, data, files."""
    by_value = {value: name for name, value in needles.items()}
    pattern = re.compile(b"|".join(re.escape(value) for value in by_value))
    found, seen = set(), 0
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, flags, *_ = line.split()
            start, end = (int(address, 16) for address in span.split("-"))
            if not flags.startswith("r") or "[vvar" in line or "[vsyscall]" in line:
                continue
            data = bytearray()
            try:
                memory.seek(start)
                while len(data) < end - start and (piece := memory.read(end - start - len(data))):
                    data += piece
            except OSError:
                # Mapped away since the map was read.
                continue
            seen += len(data)
            found |= {by_value[match.group()] for match in pattern.finditer(data)}
    assert seen > 1 << 20, "hardly anything could be read"
    return found


def held_for_good(pid, needles, to_stay=frozenset()):
    """As `held`, of what does not go within `SETTLE_SECONDS`; what is `to_stay` is not waited for."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (found := held(pid, needles)) - to_stay and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def status(pid, field):
    """A line of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{field}:"))


def owner(pid):
    """The user to whom the system gives /proc/PID/environ: root where the process is not dumpable."""
    return os.stat(f"/proc/{pid}/environ").st_uid
