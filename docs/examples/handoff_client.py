#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client of natmux's Unix handoff (docs/unix-handoff.md): subscribes to IKE, prints each message
and answers every IKE_SA_INIT request with NO_PROPOSAL_CHOSEN. Needs nothing but Python 3.

    ./handoff_client.py /run/natmux/handoff.sock [ANSWERS]

With a number behind the path it ends after so many answers.
"""
import ipaddress
import socket
import struct
import sys

HELLO, WELCOME, DATAGRAM, STATS, ERROR = 1, 2, 3, 4, 5
CLASS_IKE, CLASS_ESP = 1, 2

# magic, version, type, class, TOS, segment, classes, word, local, remote
HEADER = struct.Struct("!4sBBBBIHH24s24s")
ADDRESS = struct.Struct("!BBHI16s")  # family, 0, port, scope, IP
IKE = struct.Struct("!4s8s8sBBBBII")  # marker, then the header of RFC 7296 3.1
IKE_SA_INIT, FLAG_INITIATOR, FLAG_RESPONSE = 34, 0x08, 0x20


def frame(kind, cls=0, classes=0, word=0, local=bytes(24), remote=bytes(24), payload=b""):
    return HEADER.pack(b"nmux", 1, kind, cls, 0, 0, classes, word, local, remote) + payload


def address_text(address):
    family, _, port, _, ip = ADDRESS.unpack(address)
    if family == 4:
        return f"{ipaddress.IPv4Address(ip[:4])}:{port}"
    return f"[{ipaddress.IPv6Address(ip)}]:{port}"


def no_proposal_chosen(initiator_spi):
    """RFC 7296 2.6: without an SA the responder's SPI stays zero. 3.10: one Notify payload."""
    notify = struct.pack("!BBHBBH", 0, 0, 8, 0, 0, 14)
    length = IKE.size - 4 + len(notify)
    header = IKE.pack(bytes(4), initiator_spi, bytes(8), 41, 0x20, IKE_SA_INIT, FLAG_RESPONSE,
                      0, length)
    return header + notify


def handle_ike(sock, local, remote, payload):
    """Returns how many requests were answered: none or one."""
    if len(payload) < IKE.size:
        return 0
    _, spi, _, _, version, exchange, flags, _, _ = IKE.unpack_from(payload)
    kind = "response" if flags & FLAG_RESPONSE else "request"
    print(f"IKE {address_text(remote)} -> {address_text(local)}: {len(payload)} bytes, "
          f"exchange {exchange}, {kind}", flush=True)
    if version >> 4 != 2 or exchange != IKE_SA_INIT or kind == "response":
        return 0
    if not flags & FLAG_INITIATOR:
        return 0
    # Both addresses as they were: back the way it came.
    sock.send(frame(DATAGRAM, CLASS_IKE, local=local, remote=remote,
                    payload=no_proposal_chosen(spi)))
    return 1


def handle(sock, data):
    if len(data) < HEADER.size or data[:5] != b"nmux\x01":
        sys.exit("not a frame")
    _, _, kind, cls, _, _, classes, word, local, remote = HEADER.unpack_from(data)
    payload = data[HEADER.size:]
    if kind == WELCOME:
        print(f"welcome: classes 0x{classes:x}", flush=True)
    elif kind == ERROR:
        print(f"error {word}: {payload.decode('ascii', 'replace')}", file=sys.stderr)
    elif kind == DATAGRAM and cls == CLASS_IKE:
        return handle_ike(sock, local, remote, payload)
    return 0  # a later natmux may say more


def main():
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} SOCKET [ANSWERS]")
    left = int(sys.argv[2]) if len(sys.argv) > 2 else -1
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.connect(sys.argv[1])
        sock.send(frame(HELLO, classes=1 << CLASS_IKE))
        while left != 0:
            data = sock.recv(64 + 65535)
            if not data:
                break  # natmux has closed the connection
            if handle(sock, data) and left > 0:
                left -= 1


if __name__ == "__main__":
    main()
