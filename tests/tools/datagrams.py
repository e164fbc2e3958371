#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A toy IKE daemon and a toy peer for the namespace tests: the bytes are real, the cryptography is not.

    datagrams.py daemon ADDRESS PORT [--both]
        answers IKE messages and sends ESP back; one line for each datagram:
        "CLASS BYTES REMOTE-ADDRESS REMOTE-PORT". With --both, a socket of IPv6 takes IPv4, too.
    datagrams.py talk ADDRESS PORT [--from PORT] [--more N] [--late N]
        a first and a second exchange of IKE, then ESP: exit status 0 when all are answered. With
        --more, goes on with so many datagrams of ESP, one at a time, and says how many came back.
        With --late, asks the daemon for one more datagram so many seconds later, and is silent until
        it comes.
    datagrams.py ask KIND ADDRESS PORT [--from PORT] [--count N] [--enough N]
        sends N datagrams of one kind and prints the replies: exit status 0 when there was one. Waits for
        as many, or for those that are enough

LAB_ANSWER in the environment says how many seconds an answer is waited for (1); then talk asks again,
four times.
"""
import argparse
import binascii
import os
import socket
import struct
import sys
import threading
import time

MARKER = bytes(4)
ANSWER = float(os.environ.get("LAB_ANSWER", 1))
COOKIE = 0x2112A442
IKE_SA_INIT, IKE_AUTH = 34, 35
INITIATOR, RESPONSE = 0x08, 0x20


def ike(spi_i, spi_r, exchange, flags, message_id, size):
    """A message of `size` bytes with the marker in front (RFC 3948 2.2, RFC 7296 3.1).

    One payload: SA, or with the second exchange SK, encrypted for whoever does not look closely.
    """
    payload = 33 if exchange == IKE_SA_INIT else 46
    header = struct.pack(
        "!8s8sBBBBIIBBH", spi_i, spi_r, payload, 0x20, exchange, flags, message_id, size,
        0, 0, size - 28)
    return MARKER + header + bytes(size - len(header))


def esp(spi, sequence, size=100):
    return struct.pack("!II", spi, sequence) + os.urandom(size - 8)


def stun(with_fingerprint, padding=0):
    """A Binding request (RFC 8489 5); `padding` bytes of SOFTWARE make room for the answer."""
    software = struct.pack("!HH", 0x8022, padding) + b"x" * padding if padding else b""
    length = len(software) + (8 if with_fingerprint else 0)
    message = struct.pack("!HHI", 1, length, COOKIE) + os.urandom(12) + software
    if with_fingerprint:
        crc = binascii.crc32(message) ^ 0x5354554E
        message += struct.pack("!HHI", 0x8028, 4, crc)
    return message


KINDS = {
    "ike-init": lambda n: ike(os.urandom(8), bytes(8), IKE_SA_INIT, INITIATOR, 0, 128),
    "ike-auth": lambda n: ike(os.urandom(8), os.urandom(8), IKE_AUTH, INITIATOR, 1, 128),
    "ike-bad": lambda n: MARKER + b"\xff" * 40,
    "esp": lambda n: esp(0xC0FFEE00, n + 1),
    "esp-cookie": lambda n: esp(0x00010054, COOKIE),
    "stun": lambda n: stun(True, 64),
    "stun-bare": lambda n: stun(False),
    "keepalive": lambda n: b"\xff",
    "runt": lambda n: b"\x00\x00",
}


def name_of(data):
    if data == b"\xff":
        return "keepalive"
    if len(data) >= 20 and struct.unpack("!I", data[4:8])[0] == COOKIE:
        return "stun"
    return "ike" if data[:4] == MARKER else "esp"


def udp(address, port, reuse=False, both=False):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    if reuse:
        # As pluto does, and charon up to 5.9.7: natmux has bound the port already.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
    sock.bind((address, port))
    return sock


def ike_answer(data):
    spi_i, spi_r, _, _, exchange, flags, message_id, _ = struct.unpack("!8s8sBBBBII", data[4:32])
    if flags & RESPONSE:
        return None
    if spi_r == bytes(8):
        spi_r = binascii.crc32(spi_i).to_bytes(4, "big") + b"toy!"
    return ike(spi_i, spi_r, exchange, RESPONSE, message_id, 100)


def daemon(args):
    sock = udp(args.address, args.port, reuse=True, both=args.both)
    print("ready", flush=True)
    while True:
        data, source = sock.recvfrom(65535)
        kind = name_of(data)
        print(kind, len(data), source[0], source[1], flush=True)
        answer = data
        if kind == "ike":
            answer = ike_answer(data) if len(data) >= 32 else None
        if kind == "esp" and data[8:12] == b"late":
            threading.Timer(data[12], sock.sendto, (answer, source)).start()
        elif answer and kind in ("ike", "esp"):
            sock.sendto(answer, source)


def answer_of(sock, wanted):
    try:
        while True:
            data = sock.recv(65535)
            if name_of(data) == wanted:
                return data
    except socket.timeout:
        return None


def exchange(sock, target, data, wanted):
    for _ in range(5):
        sock.sendto(data, target)
        answer = answer_of(sock, wanted)
        if answer:
            return answer
    print("no answer:", wanted, len(data), "bytes")
    sys.exit(1)


def talk(args):
    sock = udp("::" if ":" in args.address else "0.0.0.0", args.source)
    sock.settimeout(ANSWER)
    target = (args.address, args.port)
    spi_i = os.urandom(8)
    first = exchange(sock, target, ike(spi_i, bytes(8), IKE_SA_INIT, INITIATOR, 0, 128), "ike")
    print("ike-init", len(first))
    spi_r = first[12:20]
    second = exchange(sock, target, ike(spi_i, spi_r, IKE_AUTH, INITIATOR, 1, 256), "ike")
    print("ike-auth", len(second))
    spi = int.from_bytes(os.urandom(4), "big") | 0x1000
    packet = esp(spi, 1)
    print("esp", len(exchange(sock, target, packet, "esp")), flush=True)
    back = 0
    for n in range(args.more):
        sock.sendto(esp(spi, n + 2), target)
        back += answer_of(sock, "esp") is not None
    if args.more:
        print("sent", args.more, "back", back)
    if args.late:
        late(sock, target, spi, args.more + 2, args.late)


def late(sock, target, spi, sequence, seconds):
    packet = struct.pack("!II4sB", spi, sequence, b"late", seconds) + bytes(99)
    sock.sendto(packet, target)
    end = time.monotonic() + seconds + 1 + ANSWER
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            if sock.recv(65535) == packet:  # and no second answer to what was asked twice
                print("late", len(packet))
                return
        except socket.timeout:
            break
    print("nothing came late")
    sys.exit(1)


def ask(args):
    sock = udp("::" if ":" in args.address else "0.0.0.0", args.source)
    sock.settimeout(ANSWER)
    for n in range(args.count):
        sock.sendto(KINDS[args.kind](n), (args.address, args.port))
    replies = 0
    try:
        while replies < (args.enough or args.count):
            data, source = sock.recvfrom(65535)
            replies += 1
            print(name_of(data), len(data), source[0], source[1])
    except socket.timeout:
        pass
    print("replies", replies)
    sys.exit(0 if replies else 1)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, function in (("daemon", daemon), ("talk", talk), ("ask", ask)):
        command = commands.add_parser(name)
        command.set_defaults(run=function)
        if name == "ask":
            command.add_argument("kind", choices=KINDS)
        command.add_argument("address")
        command.add_argument("port", type=int)
        command.add_argument("--from", dest="source", type=int, default=0)
        command.add_argument("--count", type=int, default=1)
        command.add_argument("--enough", type=int, default=0)
        command.add_argument("--more", type=int, default=0)
        command.add_argument("--both", action="store_true")
        command.add_argument("--late", type=int, default=0)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
