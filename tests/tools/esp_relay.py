#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A bad network of one datagram at a time: loses, doubles and delays them, by count and not by chance.

    esp_relay.py ADDRESS PORT TARGET TARGET-PORT [--lose N] [--double N] [--delay N --depth D]
                 [--seconds S]

Whoever writes to ADDRESS:PORT is passed on to the target, from another port, and back. Each way by
itself, every N-th datagram is lost, every N-th is sent twice, and every N-th lets D others pass
first; what is to be lost is neither of the others. Keepalives pass uncounted. Ends after S seconds or
when it is killed, and lets go what is delayed; then, and whenever it gets SIGUSR1, a line for each
way:

    there datagrams N lost N doubled N delayed N
    back datagrams N lost N doubled N delayed N
"""
import argparse
import signal
import select
import socket
import time

asked = []  # the signals that came: looked at when what was done is counted, so that both agree


class Way:
    """What is done to the datagrams of one direction."""

    def __init__(self, name, args):
        self.name, self.args = name, args
        self.count = self.lost = self.doubled = self.delayed = 0
        self.waiting = []  # (count at which it goes, data)

    def is_nth(self, every):
        return every and self.count % every == 0

    def output(self, data):
        """The datagrams that go on now that this one is here."""
        if data == b"\xff":
            return [data]
        self.count += 1
        out = [data]
        if self.is_nth(self.args.lose):
            self.lost += 1
            out = []
        elif self.is_nth(self.args.delay):
            self.delayed += 1
            self.waiting.append((self.count + self.args.depth, data))
            out = []
        elif self.is_nth(self.args.double):
            self.doubled += 1
            out = [data, data]
        while self.waiting and self.waiting[0][0] <= self.count:
            out.append(self.waiting.pop(0)[1])
        return out

    def __str__(self):
        return "%s datagrams %d lost %d doubled %d delayed %d" % (
            self.name, self.count, self.lost, self.doubled, self.delayed)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("target")
    parser.add_argument("target_port", type=int)
    for name in ("lose", "double", "delay", "depth"):
        parser.add_argument("--" + name, type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, _: asked.append(number))
    family = socket.AF_INET6 if ":" in args.address else socket.AF_INET
    near, far = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
    near.bind((args.address, args.port))
    far.connect((args.target, args.target_port))
    for sock in (near, far):
        sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 23)  # SO_RCVBUFFORCE: we lose what we count
    there, back = Way("there", args), Way("back", args)

    deadline = time.monotonic() + args.seconds
    client = number = None
    print("ready", flush=True)
    while time.monotonic() < deadline and number != signal.SIGTERM:
        for sock in select.select((near, far), (), (), 0.02)[0]:
            if sock is near:
                data, client = near.recvfrom(65535)
                for datagram in there.output(data):
                    far.send(datagram)
            elif client:
                for datagram in back.output(far.recv(65535)):
                    near.sendto(datagram, client)
        number = asked.pop(0) if asked else None
        if number == signal.SIGUSR1:
            print(there, back, sep="\n", flush=True)
    for _, datagram in there.waiting:
        far.send(datagram)
    for _, datagram in back.waiting:
        near.sendto(datagram, client)
    print(there, back, sep="\n", flush=True)


if __name__ == "__main__":
    main()
