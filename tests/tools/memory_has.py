#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Looks for octets in a process's memory, in three forms: as they are, in hexadecimal, in base64.

    memory_has.py PID HEX

Prints "found FORM in MAPPING" for each place; exits 1 when there is none.
"""

import base64
import sys


def forms(octets):
    yield "octets", octets
    yield "hexadecimal", octets.hex().encode()
    yield "hexadecimal", octets.hex().upper().encode()
    # Whole groups of three, wherever in a longer text they begin.
    for skip in range(3):
        part = octets[skip:skip + (len(octets) - skip) // 3 * 3]
        yield "base64", base64.b64encode(part)


def mappings(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps:
        for line in maps:
            fields = line.split(None, 5)
            start, end = (int(x, 16) for x in fields[0].split("-"))
            name = fields[5].strip() if len(fields) > 5 else "anonymous"
            if "r" in fields[1] and name not in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                yield start, end, name


def main():
    pid, octets = int(sys.argv[1]), bytes.fromhex(sys.argv[2])
    found = False
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for start, end, name in mappings(pid):
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except (OSError, ValueError, MemoryError, OverflowError):
                continue  # not there, or the address sanitizer's own
            for form, pattern in forms(octets):
                if pattern in content:
                    print(f"found {form} in {name}")
                    found = True
    sys.exit(0 if found else 1)


main()
