#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends trains of ESP in UDP with other messages behind them: NULL with HMAC-SHA-256-128, RFC 3948.

    mixed_trains.py TO SPI SEQUENCE KEYFILE INNER-FROM INNER-TO [--flows N] [--esp N] [--ike]

Each of the flows is one train of a port of its own: echo requests in ESP, with --ike an IKE message, and
last a STUN request, cut by the kernel at one length (UDP_SEGMENT). KEYFILE holds the 32 octets in
hexadecimal. Prints how many STUN messages were answered, in LAB_ANSWER
seconds (2) at most.
"""

import argparse
import binascii
import hashlib
import hmac
import ipaddress
import os
import select
import socket
import struct
import time

UDP_SEGMENT = 103
COOKIE = 0x2112A442
FIRST_PORT = 20000


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def echo_request(source, destination, number):
    icmp = struct.pack("!BBHHH", 8, 0, 0, 7, number & 0xffff) + bytes(400)
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0,
                         ipaddress.ip_address(source).packed,
                         ipaddress.ip_address(destination).packed)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + icmp


def esp(spi, sequence, key, inner):
    pad = -(len(inner) + 2) % 4
    packet = struct.pack("!II", spi, sequence) + inner + bytes(range(1, pad + 1)) + bytes([pad, 4])
    return packet + hmac.new(key, packet, hashlib.sha256).digest()[:16]


def ike(size):
    """A request of a new IKE SA after the marker, as long as a datagram of ESP."""
    header = os.urandom(8) + bytes(8) + struct.pack("!BBBBII", 33, 0x20, 34, 8, 0, size - 4)
    return bytes(4) + header + struct.pack("!BBH", 0, 0, size - 4 - len(header)) + bytes(
        size - 8 - len(header))


def stun():
    """A Binding request with FINGERPRINT (RFC 8489 14.7)."""
    message = struct.pack("!HHI", 1, 8, COOKIE) + os.urandom(12)
    return message + struct.pack("!HHI", 0x8028, 4, binascii.crc32(message) ^ 0x5354554E)


def main():
    parser = argparse.ArgumentParser()
    for name in ("to", "spi", "sequence", "key_file", "inner_from", "inner_to"):
        parser.add_argument(name)
    parser.add_argument("--flows", type=int, default=16)
    parser.add_argument("--esp", type=int, default=7)
    parser.add_argument("--ike", action="store_true")
    args = parser.parse_args()
    with open(args.key_file, encoding="ascii") as file:
        key = bytes.fromhex(file.read())
    family = socket.AF_INET6 if ":" in args.to else socket.AF_INET
    sequence, sockets = int(args.sequence, 0), []
    for flow in range(args.flows):
        train = []
        for _ in range(args.esp):
            inner = echo_request(args.inner_from, args.inner_to, sequence)
            train.append(esp(int(args.spi, 0), sequence, key, inner))
            sequence += 1
        size = len(train[0])
        if args.ike:
            train.append(ike(size))
        train.append(stun())
        udp = socket.socket(family, socket.SOCK_DGRAM)
        udp.bind(("", FIRST_PORT + flow))
        sockets.append(udp)
        udp.sendmsg([b"".join(train)], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", size))],
                    0, (args.to, 4500))
    answered, end = set(), time.monotonic() + float(os.environ.get("LAB_ANSWER", 2))
    while len(answered) < len(sockets) and time.monotonic() < end:
        for udp in select.select(sockets, [], [], max(0, end - time.monotonic()))[0]:
            if struct.unpack_from("!HHI", udp.recv(2000).ljust(8, b"\0"))[::2] == (0x0101, COOKIE):
                answered.add(udp)
    print(len(answered))


main()
