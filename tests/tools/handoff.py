#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients of the Unix handoff, good and bad, for the namespace tests. The frames are those of
docs/examples/handoff_client.py, so that the example is tested, too.

    handoff.py daemon SOCKET    answers IKE and sends ESP back, as datagrams.py daemon does
    handoff.py deaf SOCKET      wants everything and never reads
    handoff.py rubbish SOCKET   sends what is no frame until natmux closes; exit status 0 when it does
    handoff.py mute SOCKET      never says HELLO, sends a datagram all the same
"""
import importlib.util
import os
import signal
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, os.path.join(HERE, path))
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


client = load("handoff_client", "../../docs/examples/handoff_client.py")
datagrams = load("datagrams", "datagrams.py")


def connect(path, hello=True):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect(path)
    if hello:
        sock.send(client.frame(client.HELLO, classes=1 << client.CLASS_IKE | 1 << client.CLASS_ESP))
    return sock


def daemon(sock):
    while True:
        data = sock.recv(64 + 65535)
        if not data:
            return
        kind, cls = data[5], data[6]
        if kind == client.WELCOME:
            print("ready", flush=True)
        if kind == client.ERROR:
            print("error", data[64:].decode(), flush=True)
        if kind != client.DATAGRAM:
            continue
        payload = data[64:]
        print(datagrams.name_of(payload), len(payload), client.address_text(data[40:64]), flush=True)
        answer = datagrams.ike_answer(payload) if cls == client.CLASS_IKE else payload
        if answer:
            sock.send(client.frame(client.DATAGRAM, cls, local=data[16:40], remote=data[40:64],
                                   payload=answer))


def deaf(sock):
    print("ready", flush=True)
    signal.pause()


def rubbish(sock):
    sock.settimeout(30)
    try:
        for n in range(64):
            sock.send(b"nmux" + os.urandom(80 + n))
        while sock.recv(65535):
            pass
    except (BrokenPipeError, ConnectionResetError):
        pass
    print("closed", flush=True)


def mute(sock):
    sock.settimeout(30)
    sock.send(client.frame(client.DATAGRAM, client.CLASS_ESP, payload=bytes([1] * 40)))
    data = sock.recv(65535)
    if data[5] != client.ERROR:
        sys.exit("not refused")
    print("refused:", data[64:].decode(), flush=True)


def main():
    modes = {"daemon": daemon, "deaf": deaf, "rubbish": rubbish, "mute": mute}
    if len(sys.argv) != 3 or sys.argv[1] not in modes:
        sys.exit(__doc__)
    modes[sys.argv[1]](connect(sys.argv[2], hello=sys.argv[1] not in ("rubbish", "mute")))


if __name__ == "__main__":
    main()
