#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""In place of an IKE daemon: gives two natmuxd new pairs of SAs whenever one's soft limit is reached.

    esp_renew.py A-SOCKET A-REMOTE B-SOCKET B-REMOTE COUNT [--suite WORD] [--packets N]
                 [--linger S] [--until FILE] [--careless]

Sockets are those of control, remotes where each sends its packets. The first pair is there, of reqid 1,
and its SPIs are 0x1000 for what A sends and 0x1001 for the rest; what it has not received when this
begins is lost. Every new outbound SA has a soft limit of N packets, and a hard one a thousand times as
far. Make before break: who receives comes first, who sends next, and what is old goes as soon as all that
it has sent is there, or after S seconds; --careless is the other way round, as somebody would who thought
nothing of it, and A has packets without an SA meanwhile. With --until it goes on beyond COUNT for as long
as there is no such file. Says "renewed N" at the end.
"""
import argparse
import json
import os
import selectors
import socket
import sys
import time

FIRST = 0x1000
PATIENCE = 60
KEY_LENGTHS = {"aes128gcm16": 20, "aes256gcm16": 36, "chacha20poly1305": 36, "aes128-sha256": 48}


class Daemon:
    def __init__(self, path, remote):
        self.remote = remote
        self.requests = self.open(path)
        self.events = self.open(path)
        self.rest = b""
        self.send(self.events, {"command": "events", "follow": True})

    @staticmethod
    def open(path):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(60)
        sock.connect(path)
        return sock

    @staticmethod
    def send(sock, request):
        sock.sendall(json.dumps(request).encode() + b"\n")

    def ask(self, command, **members):
        self.send(self.requests, dict(members, command=command))
        answer = b""
        while not answer.endswith(b"\n"):
            part = self.requests.recv(65536)
            if not part:
                sys.exit("natmuxd has closed the connection")
            answer += part
        answer = json.loads(answer)
        if not answer["ok"]:
            sys.exit("%s: %s" % (command, answer["error"]["message"]))
        return answer["result"]

    def soft_limits(self):
        """SPIs of outbound SAs that are to be replaced, of what can be read now."""
        self.rest += self.events.recv(65536)
        *lines, self.rest = self.rest.split(b"\n")
        for line in lines:
            event = json.loads(line).get("event", {})
            if event.get("type") == "sa-soft" and event["direction"] == "out":
                yield int(event["spi"], 16)

    def add(self, direction, spi, key, args):
        sa = {"direction": direction, "spi": spi, "suite": args.suite, "reqid": 1}
        if direction == "out":
            sa.update(remote=self.remote, soft_packets=args.packets,
                      hard_packets=1000 * args.packets)
        self.ask("sa-add", sa=sa, key=key.hex())

    def delete(self, direction, spi):
        remote = {"remote": self.remote} if direction == "out" else {}
        self.ask("sa-delete", direction=direction, spi="0x%x" % spi, **remote)

    def count(self):
        """Of each SA, the last number that it has used, or how many it has opened."""
        return {(sa["direction"], int(sa["spi"], 16)):
                sa["sequence"] if sa["direction"] == "out" else sa["counters"]["packets"]
                for sa in self.ask("sa-list")["sas"]}

    def drops(self):
        """How many packets have found no SA."""
        return sum(drop["count"] for drop in self.ask("drops")["drops"]
                   if drop["reason"] == "out-no-sa")


class Renewal:
    def __init__(self, a, b, args):
        self.a, self.b, self.args = a, b, args
        self.spi, self.count = FIRST, 0
        self.lost = self.missing(FIRST)
        self.old = []  # (when it goes, SPI)

    def is_current(self, spi):
        return spi in (self.spi, self.spi + 1)

    def renew(self):
        keys = [os.urandom(KEY_LENGTHS[self.args.suite]) for _ in range(2)]
        old, self.spi = self.spi, self.spi + 2
        if self.args.careless:
            before, last = self.a.drops(), time.monotonic()
            self.forget(old)
            while self.a.drops() == before and time.monotonic() - last < PATIENCE:
                time.sleep(0.05)
        self.b.add("in", self.spi, keys[0], self.args)
        self.a.add("in", self.spi + 1, keys[1], self.args)
        self.a.add("out", self.spi, keys[0], self.args)
        self.b.add("out", self.spi + 1, keys[1], self.args)
        self.count += 1
        if not self.args.careless:
            self.old.append((time.monotonic(), old))

    def forget(self, spi):
        self.a.delete("out", spi)
        self.b.delete("out", spi + 1)
        self.b.delete("in", spi)
        self.a.delete("in", spi + 1)

    def forget_due(self):
        """Those that have nothing under way any more; false if there are others."""
        while self.old:
            when, spi = self.old[0]
            age = time.monotonic() - when
            if age < self.args.linger and not self.has_arrived(spi):
                return False
            self.forget(spi)
            self.old.pop(0)
        return True

    def has_arrived(self, spi):
        """Whether all that this pair has sent has come to the other side."""
        lost = self.lost if spi == FIRST else (0, 0)
        return all(now <= before for now, before in zip(self.missing(spi), lost))

    def missing(self, spi):
        """How much of what a pair has sent has not come to the other side, for both directions."""
        there, here, back = self.a.count(), self.b.count(), self.a.count()
        return (there["out", spi] - here["in", spi], here["out", spi + 1] - back["in", spi + 1])


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in ("a_socket", "a_remote", "b_socket", "b_remote"):
        parser.add_argument(name)
    parser.add_argument("count", type=int)
    parser.add_argument("--suite", default="aes128gcm16")
    parser.add_argument("--packets", type=int, default=50)
    parser.add_argument("--linger", type=float, default=20)
    parser.add_argument("--until")
    parser.add_argument("--careless", action="store_true")
    args = parser.parse_args()
    a, b = Daemon(args.a_socket, args.a_remote), Daemon(args.b_socket, args.b_remote)
    renewal, ready = Renewal(a, b, args), selectors.DefaultSelector()
    for daemon in (a, b):
        ready.register(daemon.events, selectors.EVENT_READ, daemon)
    print("ready", flush=True)
    last = time.monotonic()
    while time.monotonic() - last < PATIENCE and (
            renewal.count < args.count or args.until and not os.path.exists(args.until)):
        for key, _ in ready.select(0.05):
            if any([renewal.is_current(spi) for spi in key.data.soft_limits()]):
                renewal.renew()
                last = time.monotonic()
        renewal.forget_due()
    while not renewal.forget_due():
        time.sleep(0.05)
    print("renewed %d" % renewal.count, flush=True)


if __name__ == "__main__":
    main()
