#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""In place of an IKE daemon: gives two natmuxd new pairs of SAs whenever one's soft limit is reached.

    esp_renew.py A-SOCKET A-REMOTE B-SOCKET B-REMOTE COUNT [--suite WORD] [--packets N]
                 [--linger S] [--careless]

Sockets are those of control, remotes where each sends its packets. The first pair is there, of reqid 1,
and its SPIs are 0x1000 for what A sends and 0x1001 for the rest. Every new outbound SA has a soft limit
of N packets, and a hard one a hundred times as far. Make before break: who receives comes first, who
sends next, and what is old goes as soon as all that it has sent is there, or after S seconds;
--careless is the other way round, as somebody would who thought nothing of it. Says "renewed N" at the end.
"""
import argparse
import json
import os
import selectors
import socket
import sys
import time

PATIENCE = 60
LINGER = 0.2  # seconds: another worker's packets may be a little behind
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
                      hard_packets=100 * args.packets)
        self.ask("sa-add", sa=sa, key=key.hex())

    def delete(self, direction, spi):
        remote = {"remote": self.remote} if direction == "out" else {}
        self.ask("sa-delete", direction=direction, spi="0x%x" % spi, **remote)


    def sequence(self):
        """Of each SA, the last number that it has used, or the highest that it has seen."""
        return {(sa["direction"], int(sa["spi"], 16)): sa["sequence"]
                for sa in self.ask("sa-list")["sas"]}


class Renewal:
    def __init__(self, a, b, args):
        self.a, self.b, self.args = a, b, args
        self.spi, self.count = 0x1000, 0
        self.old = []  # (when it goes, SPI)

    def is_current(self, spi):
        return spi in (self.spi, self.spi + 1)

    def renew(self):
        keys = [os.urandom(KEY_LENGTHS[self.args.suite]) for _ in range(2)]
        old, self.spi = self.spi, self.spi + 2
        if self.args.careless:
            self.forget(old)
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
            if age < LINGER or age < self.args.linger and not self.has_arrived(spi):
                return False
            self.forget(spi)
            self.old.pop(0)
        return True

    def has_arrived(self, spi):
        """Whether all that this pair has sent has come to the other side."""
        there, here, back = self.a.sequence(), self.b.sequence(), self.a.sequence()
        return (here["in", spi] >= there["out", spi] and
                back["in", spi + 1] >= here["out", spi + 1])


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in ("a_socket", "a_remote", "b_socket", "b_remote"):
        parser.add_argument(name)
    parser.add_argument("count", type=int)
    parser.add_argument("--suite", default="aes128gcm16")
    parser.add_argument("--packets", type=int, default=50)
    parser.add_argument("--linger", type=float, default=20)
    parser.add_argument("--careless", action="store_true")
    args = parser.parse_args()
    a, b = Daemon(args.a_socket, args.a_remote), Daemon(args.b_socket, args.b_remote)
    renewal, ready = Renewal(a, b, args), selectors.DefaultSelector()
    for daemon in (a, b):
        ready.register(daemon.events, selectors.EVENT_READ, daemon)
    print("ready", flush=True)
    last = time.monotonic()
    while renewal.count < args.count and time.monotonic() - last < PATIENCE:
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
