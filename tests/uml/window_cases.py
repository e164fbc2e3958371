#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ESP of made-up order against an anti-replay window, for kernel_move.sh.

    window_cases.py receive
        prints SPI and number of each packet that was let through, until it is killed
    window_cases.py send TOOL KEY-FILE SPI ESN DIRECTORY NUMBER...
        sends packets with these numbers, one after the other; one that was sent before goes again as
        it was, for DIRECTORY keeps them
    window_cases.py stream TOOL KEY-FILE SPI FIRST COUNT
        says "ready", then sends so many in a row, two thousandths of a second apart: every fifth is held
        back until 30 others have gone, and each goes again 16 later; says how many went when it is
        over, or ended

TOOL is tests/tools/esp_tool.c. Inner packets are UDP from 10.2.0.9 to port 7007 of 10.1.0.1, ESP comes
from port 5500.
"""
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time

HERE, THERE = ("10.9.0.2", 5500), ("10.9.0.1", 4500)
INNER = ("10.2.0.9", "10.1.0.1", 7007)


def checksum(header):
    total = sum(struct.unpack("!%dH" % (len(header) // 2), header))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def inner_packet(text):
    source, destination, port = INNER
    udp = struct.pack("!HHHH", port, port, 8 + len(text), 0) + text
    ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                               socket.inet_aton(source), socket.inet_aton(destination)))
    ip[10:12] = struct.pack("!H", checksum(bytes(ip)))
    return bytes(ip) + udp


def seal(tool, key_file, spi, esn, numbers):
    """The packets of these numbers, sealed by natmux."""
    key = pathlib.Path(key_file).read_text(encoding="ascii").strip()
    lines = ["seal aes128gcm16 %s %d %d %s 0 4 %s\n" % (
        key, spi, number, esn, inner_packet(b"%#x %d" % (spi, number)).hex()) for number in numbers]
    done = subprocess.run([tool], input="".join(lines), capture_output=True, text=True, check=True)
    return [bytes.fromhex(line) for line in done.stdout.split()]


def open_wire():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(HERE)
    sock.connect(THERE)
    return sock


def receive():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((INNER[1], INNER[2]))
    print("ready", flush=True)
    while True:
        print(sock.recv(2048).decode("ascii"), flush=True)


def send(tool, key_file, spi, esn, directory, *numbers):
    kept = pathlib.Path(directory)
    numbers, spi = [int(number) for number in numbers], int(spi, 0)
    files = {number: kept / ("esp-%x-%d" % (spi, number)) for number in numbers}
    fresh = [number for number in numbers if not files[number].exists()]
    for number, packet in zip(fresh, seal(tool, key_file, spi, esn, fresh)):
        files[number].write_bytes(packet)
    with open_wire() as wire:
        for number in numbers:
            wire.send(files[number].read_bytes())


def stream(tool, key_file, spi, first, count):
    first, count = int(first), int(count)
    packets = seal(tool, key_file, int(spi, 0), "0", range(first, first + count))
    order = []
    for at in range(count + 30):
        if at < count and at % 5 > 0:
            order.append(at)
        if at >= 30 and at % 5 == 0 and at - 30 < count:
            order.append(at - 30)
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(True))  # not between an act and its count
    sent = 0
    with open_wire() as wire:
        print("ready", flush=True)
        for at in range(len(order) + 16):
            if at < len(order):
                wire.send(packets[order[at]])
                sent += 1
            if at >= 16:
                wire.send(packets[order[at - 16]])
            time.sleep(0.002)
            if asked:
                break
    print("sent", sent, flush=True)


if __name__ == "__main__":
    commands = {"receive": receive, "send": send, "stream": stream}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
