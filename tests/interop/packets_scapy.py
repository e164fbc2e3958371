#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""scapy judges the packets that relay and inject build: what it would have built from the same
addresses and payload is byte for byte the same, and a changed byte makes it another.

    packets_scapy.py PACKETS-PROGRAM
"""
import subprocess
import sys

try:
    from scapy.layers.inet import IP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.packet import Raw
except ImportError:
    print("skipped: no scapy")
    sys.exit(77)


def split(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def build(source, destination, tos, payload):
    """The packet that scapy makes, with its own checksums."""
    (src, sport), (dst, dport) = split(source), split(destination)
    if ":" in src:
        network = IPv6(src=src, dst=dst, tc=tos, hlim=64)
    else:
        network = IP(src=src, dst=dst, tos=tos, id=0, flags="DF", ttl=64)
    return bytes(network / UDP(sport=sport, dport=dport) / Raw(payload))


def check(line):
    source, destination, tos, payload, packet = line.split()
    payload, packet = bytes.fromhex(payload), bytes.fromhex(packet)
    if build(source, destination, int(tos), payload) != packet:
        sys.exit(f"not ok: {source} to {destination}, {len(payload)} bytes: scapy differs")
    spoilt = payload[:-1] + bytes([payload[-1] ^ 1])
    if build(source, destination, int(tos), spoilt)[:len(packet) - len(payload)] == \
            packet[:len(packet) - len(payload)]:
        sys.exit("not ok: the checksum does not see a changed byte")


def main():
    lines = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True,
                           timeout=60).stdout.splitlines()
    if len(lines) != 48:
        sys.exit(f"not ok: {len(lines)} packets")
    for line in lines:
        check(line)
    print(f"ok: {len(lines)} packets")


if __name__ == "__main__":
    main()
