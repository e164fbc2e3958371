#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Somebody on the wire who has no keys: sends again what leaves an interface, as it is and changed.

    esp_attack.py INTERFACE [--replay N] [--forge N] [--source ADDRESS] [--after SECONDS]

Of each SPI's first N ESP-in-UDP datagrams on port 4500. A forged one has another sequence number,
which the receiver has not seen, and a changed last octet. With --source, both seem to come from that
IPv4 address. Where it matters that none overtakes the one that it is a copy of: --after so many
seconds. Runs until it is killed; a line for each SPI as soon as all of it is sent: "SPI
replayed N forged N", in hexadecimal and decimal.
"""
import argparse
import select
import socket
import struct
import time

OUTGOING = 4  # PACKET_OUTGOING
PORT = 4500


class Frame:
    """An Ethernet frame with ESP in UDP; ValueError when it is none."""

    def __init__(self, data):
        self.data = bytearray(data)
        kind = struct.unpack_from("!H", data, 12)[0] if len(data) >= 14 else 0
        self.is_ipv4 = kind == 0x0800
        if self.is_ipv4 and data[23] == socket.IPPROTO_UDP:
            self.udp = 14 + (data[14] & 15) * 4
        elif kind == 0x86dd and data[20] == socket.IPPROTO_UDP:
            self.udp = 14 + 40
        else:
            raise ValueError("not UDP")
        if len(data) < self.udp + 8 + 8:
            raise ValueError("too short")
        source, target, self.length = struct.unpack_from("!HHH", data, self.udp)
        self.spi, self.sequence = struct.unpack_from("!II", data, self.udp + 8)
        # Shorter than it says: nothing that could be sent again.
        if PORT not in (source, target) or self.spi == 0 or len(data) != self.udp + self.length:
            raise ValueError("not one datagram of ESP")

    def forge(self):
        struct.pack_into("!I", self.data, self.udp + 12, (self.sequence + 700) & 0xffffffff)
        self.data[-1] ^= 1
        return self

    def come_from(self, source):
        self.data[26:30] = socket.inet_aton(source)
        self.data[24:26] = bytes(2)
        struct.pack_into("!H", self.data, 24, checksum(self.data[14:self.udp]))
        return self

    def whole(self):
        """With a checksum: what leaves an interface may not have it yet."""
        struct.pack_into("!H", self.data, self.udp + 6, 0)
        if not self.is_ipv4:
            pseudo = self.data[22:54] + struct.pack("!II", self.length, socket.IPPROTO_UDP)
            struct.pack_into("!H", self.data, self.udp + 6, checksum(pseudo + self.data[self.udp:]))
        return bytes(self.data)


def checksum(data):
    data = bytes(data) + bytes(len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    return 0xffff - total or 0xffff


def tell(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("interface")
    parser.add_argument("--replay", type=int, default=0)
    parser.add_argument("--forge", type=int, default=0)
    parser.add_argument("--source")
    parser.add_argument("--after", type=float, default=0)
    args = parser.parse_args()
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    wire.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE: nothing is missed
    wire.bind((args.interface, 3))
    with open("/sys/class/net/%s/mtu" % args.interface, encoding="ascii") as file:
        longest = 14 + int(file.read())
    seen, waiting = {}, []  # when, what to do

    def later(act, *words):
        waiting.append((time.monotonic() + args.after, lambda: act(*words)))

    print("ready", flush=True)
    while True:
        while waiting and waiting[0][0] <= time.monotonic():
            waiting.pop(0)[1]()
        left = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        if not select.select([wire], [], [], left)[0]:
            continue
        data, origin = wire.recvfrom(65535)
        if origin[2] != OUTGOING or len(data) > longest:  # a train, before it is cut
            continue
        try:
            frame = Frame(data)
        except ValueError:
            continue
        if args.source:
            frame.come_from(args.source)
        seen[frame.spi] = seen.get(frame.spi, 0) + 1
        if seen[frame.spi] <= args.replay:
            later(wire.send, frame.whole())
        if seen[frame.spi] <= args.forge:
            later(wire.send, frame.forge().whole())
        if seen[frame.spi] == max(args.replay, args.forge):
            later(tell, "%08x replayed %d forged %d" % (frame.spi, args.replay, args.forge))


if __name__ == "__main__":
    main()
