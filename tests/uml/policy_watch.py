#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Follows what the kernel tells of its policies and says after each change what becomes of a tunnel's
packets: of those with mark 42 from 10.1.0.1 to 10.2.0.1 in direction out, of those back in directions
in and fwd. A line for each change, "out protected", "in clear"; "ready" before the first.

    policy_watch.py         until it is killed; to be started when there are no policies yet
"""
import ipaddress
import socket
import struct

NETLINK_XFRM, GROUP_POLICY = 6, 4
NEWPOLICY, DELPOLICY, UPDPOLICY, FLUSHPOLICY = 0x13, 0x14, 0x19, 0x1d
SELECTOR, ID_LEN, INFO_LEN = 56, 64, 168  # struct xfrm_selector, xfrm_userpolicy_id, _info
XFRMA_TMPL, XFRMA_MARK, XFRMA_IF_ID = 5, 21, 31
TMPL_LEN, TMPL_OPTIONAL = 64, 51  # struct xfrm_user_tmpl, its member
DIRECTIONS = ("in", "out", "fwd")
HERE, THERE = ("10.1.0.1", "10.2.0.1")
PACKETS = {"out": (HERE, THERE, 42), "in": (THERE, HERE, 0), "fwd": (THERE, HERE, 0)}


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


class Policy:
    def __init__(self, body, attrs, priority, direction):
        self.direction = DIRECTIONS[direction]
        self.priority = priority
        self.selector = body[:SELECTOR]
        self.mark = struct.unpack("=II", attrs.get(XFRMA_MARK, bytes(8)))
        self.if_id = struct.unpack("=I", attrs.get(XFRMA_IF_ID, bytes(4)))[0]
        template = attrs.get(XFRMA_TMPL, b"")
        self.protects = len(template) >= TMPL_LEN and template[TMPL_OPTIONAL] == 0

    def key(self):
        return self.direction, self.selector, self.mark, self.if_id

    def matches(self, source, destination, mark):
        family = struct.unpack_from("=H", self.selector, 40)[0]
        bits_d, bits_s, protocol = self.selector[42:45]
        return (family == socket.AF_INET and protocol == 0 and self.if_id == 0 and
                mark & self.mark[1] == self.mark[0] and
                inside(destination, self.selector[0:4], bits_d) and
                inside(source, self.selector[16:20], bits_s))


def inside(address, base, bits):
    net = ipaddress.ip_network((int.from_bytes(base, "big"), bits))
    return ipaddress.ip_address(address) in net


def follow(policies, kind, payload):
    """Returns the direction of what has changed."""
    if kind in (NEWPOLICY, UPDPOLICY):
        priority, direction = struct.unpack_from("=I4xB", payload, 152)
        policy = Policy(payload, attributes(payload[INFO_LEN:]), priority, direction)
        policies[policy.key()] = policy
        return policy.direction
    if kind == DELPOLICY:
        policy = Policy(payload, attributes(payload[ID_LEN:]), 0, payload[60])
        policies.pop(policy.key(), None)
        return policy.direction
    if kind == FLUSHPOLICY:
        policies.clear()
    return None


def fate(policies, direction):
    asked = [p for p in policies.values()
             if p.direction == direction and p.matches(*PACKETS[direction])]
    first = min(asked, key=lambda p: p.priority, default=None)
    return "protected" if first and first.protects else "clear"


def main():
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM)
    sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
    sock.bind((0, 1 << (GROUP_POLICY - 1)))
    print("ready", flush=True)
    policies = {}
    while True:
        data = sock.recv(1 << 16)
        while len(data) >= 16:
            length, kind = struct.unpack_from("=IH", data)
            direction = follow(policies, kind, data[16:length])
            if direction:
                print(direction, fate(policies, direction), flush=True)
            data = data[(length + 3) & ~3:]


if __name__ == "__main__":
    main()
