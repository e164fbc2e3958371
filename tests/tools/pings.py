#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ping in the tests: has room for all answers however long it was kept waiting, where ping's own socket
loses what comes at once after a hundred and some.

    pings.py [-i SECONDS] [-I SOURCE] ADDRESS

IPv4, until it is killed; a line for each answer, "from ADDRESS: icmp_seq=N time=MS ms".
"""
import argparse
import os
import select
import socket
import struct
import time

ECHO_REPLY, ECHO_REQUEST = 0, 8


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def request(ident, number):
    message = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, ident, number & 0xffff) + bytes(56)
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def hear(sock, ident, sent):
    """Takes what is there; `sent` is when each number was."""
    while True:
        try:
            packet, whence = sock.recvfrom(65535, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        kind, _, _, whose, low = struct.unpack_from("!BBHHH", packet, (packet[0] & 15) * 4)
        if kind != ECHO_REPLY or whose != ident:
            continue
        number = len(sent) - (len(sent) - low & 0xffff)
        if 0 < number <= len(sent):
            print("from %s: icmp_seq=%d time=%.3f ms" % (
                whence[0], number, 1000 * (time.monotonic() - sent[number - 1])), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-i", type=float, default=0.02)
    parser.add_argument("-I", default="")
    parser.add_argument("address")
    args = parser.parse_args()
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 23)  # SO_RCVBUFFORCE
    sock.bind((args.I, 0))
    ident, sent, due = os.getpid() & 0xffff, [], time.monotonic()
    while True:
        now = time.monotonic()
        if now >= due:
            sent.append(now)
            try:
                sock.sendto(request(ident, len(sent)), (args.address, 0))
            except OSError:
                pass  # no route for the moment: one that has no answer
            due = max(due, now) + args.i
        select.select([sock], [], [], max(0, due - time.monotonic()))
        hear(sock, ident, sent)


if __name__ == "__main__":
    main()
