#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Numbered datagrams and a stream whose every octet is known: what was lost, doubled or spoilt on the
way is seen at its end.

    numbered.py listen ADDRESS PORT
        takes both on one port until it is killed; then, and whenever it gets SIGUSR1, it says
            udp received N lost N twice N late N wrong N
            tcp octets N wrong N
        of numbers from 1 to the highest that came; late: behind a higher one
    numbered.py datagrams ADDRESS PORT [--rate N] [--seconds S] [--count N]
                         [--sizes LEAST-MOST]
        sends N a second, of all sizes in turn, and so many at most; then, or when it is killed, "sent N"
With --progress FILE the listener says there which number came last, and who sends datagrams never is
further ahead than what every queue on the way holds.
    numbered.py stream ADDRESS PORT [--rate N] [--seconds S]
        the stream, N octets a second; "sent N" when all of it was acknowledged
"""
import argparse
import hashlib
import mmap
import selectors
import signal
import socket
import struct
import time

# Of prime length: what is shifted or repeated does not fit.
PATTERN = hashlib.shake_128(b"numbered").digest(65521)
TWICE = PATTERN * 2
TICK = 0.01
AHEAD = 200  # datagrams
LOST = 10  # seconds without progress: what is under way does not come any more
asked = []  # the signals that came: looked at when what was done is counted, so that both agree


def pattern(at, size):
    at %= len(PATTERN)
    return TWICE[at:at + size] if size <= len(PATTERN) else bytes(
        PATTERN[(at + i) % len(PATTERN)] for i in range(size))


def datagram(number, size):
    return struct.pack("!Q", number) + pattern(number * 7919, size - 8)


class Progress:
    """Eight octets in a file that both ends have: the highest number that came."""

    def __init__(self, path):
        with open(path, "a+b") as file:
            file.truncate(8)
            self.octets = mmap.mmap(file.fileno(), 8)

    def set(self, number):
        struct.pack_into("=Q", self.octets, 0, number)

    def get(self):
        return struct.unpack_from("=Q", self.octets)[0]


class Datagrams:
    def __init__(self, progress):
        self.progress = progress
        self.seen, self.highest = set(), 0
        self.twice = self.late = self.wrong = 0

    def take(self, data):
        number = struct.unpack_from("!Q", data)[0] if len(data) >= 8 else 0
        if number == 0 or number > 1 << 32 or data != datagram(number, len(data)):
            self.wrong += 1
            return
        self.twice += number in self.seen
        self.late += number < self.highest
        self.seen.add(number)
        self.highest = max(self.highest, number)
        if self.progress:
            self.progress.set(self.highest)

    def __str__(self):
        return "udp received %d lost %d twice %d late %d wrong %d" % (
            len(self.seen), self.highest - len(self.seen), self.twice, self.late, self.wrong)


class Stream:
    """The octets of one connection; those of all are counted together."""

    octets = wrong = 0

    def __init__(self):
        self.at = 0

    def take(self, data):
        if data != pattern(self.at, len(data)):
            Stream.wrong += 1
        self.at += len(data)
        Stream.octets += len(data)


def sockets(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    udp, tcp = (socket.socket(family, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM))
    udp.setsockopt(socket.SOL_SOCKET, 33, 1 << 23)  # SO_RCVBUFFORCE: nothing is lost here
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for sock in (udp, tcp):
        sock.bind((address, port))
    tcp.listen(8)
    return udp, tcp


def listen(args):
    udp, tcp = sockets(args.address, args.port)
    datagrams = Datagrams(args.progress and Progress(args.progress))
    ready = selectors.DefaultSelector()
    ready.register(udp, selectors.EVENT_READ)
    ready.register(tcp, selectors.EVENT_READ)
    print("ready", flush=True)
    number = None
    while number != signal.SIGTERM:
        for key, _ in ready.select(0.02):
            sock = key.fileobj
            if sock is udp:
                datagrams.take(udp.recv(65535))
            elif sock is tcp:
                ready.register(tcp.accept()[0], selectors.EVENT_READ, Stream())
            else:
                take_stream(ready, sock, key.data)
        if asked:
            number = asked.pop(0)
            print("%s\ntcp octets %d wrong %d" % (datagrams, Stream.octets, Stream.wrong),
                  flush=True)


def take_stream(ready, sock, stream):
    try:
        data = sock.recv(32768)  # less than the pattern, which is compared as it is then
    except OSError:
        data = b""
    if data:
        stream.take(data)
        return
    ready.unregister(sock)
    sock.close()


def paced(args, send, room=lambda sent: 1 << 30):
    """Calls send() with what is due and has room, a hundred times a second, until it is over or told
    to end. Who was kept waiting does not make up for it at once: no queue on the way is made for that."""
    start = time.monotonic()
    sent = missed = 0
    most = max(1, int(4 * TICK * args.rate))
    while not asked and (passed := time.monotonic() - start) < args.seconds and sent < args.count:
        due = min(int(passed * args.rate) - missed, args.count) - sent
        if due > 0:
            most_now = max(0, min(most, room(sent)))
            missed += max(0, due - most_now)
            due = min(due, most_now)
            send(sent, due)
            sent += due
        time.sleep(TICK)
    return sent


def connect(args, kind):
    sock = socket.socket(socket.AF_INET6 if ":" in args.address else socket.AF_INET, kind)
    sock.settimeout(30)
    sock.connect((args.address, args.port))
    return sock


def send_datagrams(args):
    sock = connect(args, socket.SOCK_DGRAM)
    least, most = (int(word) for word in args.sizes.split("-"))

    def send(first, due):
        for number in range(first + 1, first + due + 1):
            sock.send(datagram(number, least + number * 37 % (most - least + 1)))

    progress = args.progress and Progress(args.progress)
    came, when = 0, time.monotonic()

    def room(sent):
        nonlocal came, when
        if progress.get() > came:
            came, when = progress.get(), time.monotonic()
        elif time.monotonic() - when > LOST:
            came, when = sent, time.monotonic()
        return came + AHEAD - sent

    print("sent %d" % paced(args, send, *([room] if progress else [])), flush=True)


def send_stream(args):
    sock = connect(args, socket.SOCK_STREAM)
    sent = paced(args, lambda at, size: sock.sendall(pattern(at, size)))
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)  # its end: all has arrived
    print("sent %d" % sent, flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("command", choices=["listen", "datagrams", "stream"])
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--sizes", default="8-1200")
    parser.add_argument("--count", type=int, default=1 << 40)
    parser.add_argument("--progress")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, _: asked.append(number))
    {"listen": listen, "datagrams": send_datagrams, "stream": send_stream}[args.command](args)


if __name__ == "__main__":
    main()
