#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends bare ESP, IP protocol 50: an echo request in tunnel mode, NULL with HMAC-SHA-256-128.

    bare_esp.py TO SPI SEQUENCE KEYFILE INNER-FROM INNER-TO [PORT]

KEYFILE holds the 32 octets in hexadecimal. With PORT it is ESP in UDP after all, from port 4500.
"""

import hashlib
import hmac
import ipaddress
import socket
import struct
import sys


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def echo_request(source, destination):
    icmp = struct.pack("!BBHHH", 8, 0, 0, 7, 1) + bytes(range(32))
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0,
                         ipaddress.ip_address(source).packed,
                         ipaddress.ip_address(destination).packed)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + icmp


def main():
    to, spi, sequence, key_file, inner_from, inner_to = sys.argv[1:7]
    with open(key_file, encoding="ascii") as file:
        key = bytes.fromhex(file.read())
    inner = echo_request(inner_from, inner_to)
    pad = -(len(inner) + 2) % 4
    esp = struct.pack("!II", int(spi, 0), int(sequence, 0)) + inner + bytes(range(1, pad + 1))
    esp += bytes([pad, 4])
    esp += hmac.new(key, esp, hashlib.sha256).digest()[:16]
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    if len(sys.argv) > 7:
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.bind(("", 4500))
            udp.sendto(esp, (to, int(sys.argv[7])))
        return
    with socket.socket(family, socket.SOCK_RAW, 50) as raw:
        raw.sendto(esp, (to, 0))


main()
