#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every suite of the user ESP plane against the same of Linux XFRM: the cases of esp_kernel.sh.

    esp_cases.py count          how many there are
    esp_cases.py kernel         XFRM states and policies, addresses and routes: for ip -batch
    esp_cases.py gateway        SAs and policies of the other side: for esp_gateway
    esp_cases.py gateway-net    its addresses and routes: for ip -batch
    esp_cases.py hold           gives UDP 4500 to XFRM, until it is killed
    esp_cases.py echo           sends TCP back on port 7, until it is killed
    esp_cases.py ask            a transfer through each case, there and back: a line for each
    esp_cases.py judge STATES GATEWAY REPLAYED FORGED
        what both ends have counted: `ip -s xfrm state`, the gateway's log; how many packets of
        each SA somebody sent again, and forged

A case is a suite, 32-bit or extended sequence numbers, and a form: transport mode over IPv4 or
IPv6, or tunnel mode with one of them in one of them. Each has a pair of SAs and addresses of its
own. Extended numbers begin just below a multiple of 2^32 and cross it.
"""
import hashlib
import ipaddress
import re
import selectors
import socket
import struct
import sys

GCM = "rfc4106(gcm(aes))"
HMACS = {"sha1": (20, 96), "sha256": (32, 128), "sha384": (48, 192), "sha512": (64, 256)}
FORMS = ("4in4", "6in4", "4in6", "6in6", "transport4", "transport6")
BEFORE = 8  # packets before the edge of 2^32


def suites():
    """Name, octets of cipher key and salt, octets of integrity key, words of ip-xfrm."""
    for bits in (128, 192, 256):
        for icv in (16, 12, 8):
            yield "aes%dgcm%d" % (bits, icv), bits // 8 + 4, 0, "aead %s {} %d" % (GCM, icv * 8)
    yield "chacha20poly1305", 36, 0, "aead rfc7539esp(chacha20,poly1305) {} 128"
    for bits in (128, 192, 256):
        yield "aes%dgmac" % bits, bits // 8 + 4, 0, "aead rfc4543(gcm(aes)) {} 128"
    for bits in (128, 192, 256):
        for name, (key, icv) in HMACS.items():
            yield ("aes%d-%s" % (bits, name), bits // 8, key,
                   "enc cbc(aes) {} auth-trunc hmac(%s) {} %d" % (name, icv))
    for name, (key, icv) in HMACS.items():
        yield ("null-" + name, 0, key,
               'enc ecb(cipher_null) "" auth-trunc hmac(%s) {} %d' % (name, icv))


def address(family, side, number):
    """Of a case's inner packets."""
    high, low = divmod(number, 200)
    if family == 4:
        return ipaddress.ip_address("10.%d.%d.%d" % (side, high, low + 1))
    return ipaddress.ip_address("fd%02x::%x:%x" % (side, high, low + 1))


# The wire between the two. Transport mode has addresses of its own at the kernel's end.
WIRE = {4: ("10.9.0.1", "10.9.0.2"), 6: ("fd09::1", "fd09::2")}


class Case:
    def __init__(self, number, suite, esn, form):
        self.number, self.esn, self.form = number, esn, form
        self.suite, self.cipher_len, self.auth_len, self.words = suite
        self.is_transport = form.startswith("transport")
        self.inner = int(form[-1]) if self.is_transport else int(form[0])
        self.outer = int(form[-1])
        self.user_wire, self.kernel_wire = WIRE[self.outer]
        if self.is_transport:
            self.kernel_wire = str(address(self.outer, 8, number))
            self.user_inner, self.kernel_inner = self.user_wire, self.kernel_wire
        else:
            self.user_inner = str(address(self.inner, 1, number))
            self.kernel_inner = str(address(self.inner, 2, number))
        self.to_kernel, self.to_user = 0x10000 + number, 0x20000 + number
        high = number % 3
        self.start = (high << 32) + (1 << 32) - 1 - BEFORE if esn else 0

    def key(self, spi):
        material = hashlib.shake_128(b"natmux %d" % spi).digest(self.cipher_len + self.auth_len)
        return material[:self.cipher_len], material[self.cipher_len:]

    def algorithm(self, spi):
        """In the words of ip-xfrm."""
        return self.words.format(*("0x" + part.hex() for part in self.key(spi) if part))

    def __str__(self):
        return "%s %s%s" % (self.suite, self.form, " ESN" if self.esn else "")


def cases():
    number = 0
    for suite in suites():
        for esn in (False, True):
            for form in FORMS:
                yield Case(number, suite, esn, form)
                number += 1


def state(case, source, target, spi):
    low, high = case.start & 0xffffffff, case.start >> 32
    replay = ("replay-window 64 flag esn af-unspec replay-seq %d replay-oseq %d replay-seq-hi %d "
              "replay-oseq-hi %d" % (low, low, high, high))
    if not case.esn:
        replay = "replay-window 32 flag af-unspec"
    print("xfrm state add src %s dst %s proto esp spi %#x reqid %d mode %s %s %s "
          "encap espinudp 4500 4500 0.0.0.0" % (
              source, target, spi, case.number + 1,
              "transport" if case.is_transport else "tunnel", replay, case.algorithm(spi)))


def policy(case, source, target, way, wire_source, wire_target):
    bits = 32 if case.inner == 4 else 128
    ends = "" if case.is_transport else "src %s dst %s " % (wire_source, wire_target)
    print("xfrm policy add src %s/%d dst %s/%d dir %s tmpl %sproto esp reqid %d mode %s" % (
        source, bits, target, bits, way, ends, case.number + 1,
        "transport" if case.is_transport else "tunnel"))


def count():
    print(sum(1 for _ in cases()))


def kernel():
    for case in cases():
        bits = 32 if case.inner == 4 else 128
        print("address add %s/%d dev lo" % (case.kernel_inner, bits))
        state(case, case.kernel_wire, case.user_wire, case.to_user)
        state(case, case.user_wire, case.kernel_wire, case.to_kernel)
        policy(case, case.kernel_inner, case.user_inner, "out", case.kernel_wire, case.user_wire)
        policy(case, case.user_inner, case.kernel_inner, "in", case.user_wire, case.kernel_wire)


def gateway():
    print("listen %s" % WIRE[4][0])
    print("listen %s" % WIRE[6][0])
    for case in cases():
        remote = ("%s:4500" if case.outer == 4 else "[%s]:4500") % case.kernel_wire
        bits = 32 if case.inner == 4 else 128
        for way, spi in (("in", case.to_user), ("out", case.to_kernel)):
            print("sa %s spi %#x suite %s key %s remote %s reqid %d mode %s sequence %d%s" % (
                way, spi, case.suite, b"".join(case.key(spi)).hex(), remote, case.number + 1,
                "transport" if case.is_transport else "tunnel", case.start,
                " esn yes" if case.esn else ""))
        print("policy src %s/%d dst %s/%d reqid %d" % (
            case.user_inner, bits, case.kernel_inner, bits, case.number + 1))


def gateway_net():
    """Inner packets go through the TUN device, sealed ones past it."""
    for case in cases():
        bits = 32 if case.inner == 4 else 128
        if not case.is_transport:
            print("address add %s/%d dev lo" % (case.user_inner, bits))
    for prefix in ("10.2.0.0/16", "fd02::/16"):
        print("route add %s dev esp0" % prefix)
    for prefix, via in (("10.8.0.0/16", WIRE[4][1]), ("fd08::/16", WIRE[6][1])):
        print("route add %s via %s dev wan" % (prefix, via))
        print("route add %s dev esp0 table 100" % prefix)


def bypass(sock):
    """No policy is for the sealed datagrams themselves: struct xfrm_userpolicy_info, ALLOW."""
    level, option = ((socket.IPPROTO_IP, 17) if sock.family == socket.AF_INET
                     else (socket.IPPROTO_IPV6, 35))
    for way in (0, 1):  # XFRM_POLICY_IN, XFRM_POLICY_OUT
        policy_info = struct.pack("=40xH14x64x32xIIBBBB4x", sock.family, 0, 0, way, 0, 0, 0)
        sock.setsockopt(level, option, policy_info)


def hold():
    sockets = []
    for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_UDP, 100, 2)  # UDP_ENCAP, UDP_ENCAP_ESPINUDP
        bypass(sock)
        sock.bind((anywhere, 4500))
        sockets.append(sock)
    print("ready", flush=True)
    while True:
        sockets[0].recv(65535)


def echo():
    ready = selectors.DefaultSelector()
    for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        server = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind((anywhere, 7))
        server.listen(16)
        ready.register(server, selectors.EVENT_READ, True)
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            if key.data:
                ready.register(key.fileobj.accept()[0], selectors.EVENT_READ, False)
                continue
            try:
                data = key.fileobj.recv(65536)
                key.fileobj.sendall(data)
            except OSError:
                data = b""
            if not data:
                ready.unregister(key.fileobj)
                key.fileobj.close()


def transfer(case, size):
    """Octets that came back of those sent, in pieces of odd sizes."""
    data = hashlib.shake_128(b"%d" % case.number).digest(size)
    family = socket.AF_INET if case.inner == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((case.kernel_inner, 0))
        sock.connect((case.user_inner, 7))
        back, at, piece = b"", 0, 1
        while len(back) < size:
            if at < size:
                sock.sendall(data[at:at + piece])
                at += piece
                piece = piece * 2 + 1
            got = sock.recv(65536)
            if not got:
                break
            back += got
        return back == data


def ask():
    for case in cases():
        try:
            result = transfer(case, 20000)
        except OSError as error:
            result = False
            print("#", case, error)
        print("%s - %s" % ("ok" if result else "not ok", case), flush=True)


def numbers_after(words, text):
    """{word: the number behind it}, of the words that are followed by one."""
    found = re.findall(r"\b(%s) (0x[0-9a-f]+|\d+)" % "|".join(words), text)
    return {word: int(number, 0) for word, number in found}


def kernel_counters(path):
    with open(path, encoding="ascii") as file:
        for text in re.split(r"^(?=src )", file.read(), flags=re.M)[1:]:
            spi = int(re.search(r"spi (0x[0-9a-f]+)", text).group(1), 16)
            found = numbers_after(("replay-window", "replay", "failed"), text[text.index("stats:"):])
            found.update(numbers_after(("seq-hi", "oseq-hi"), text))
            yield spi, {"repeated": found["replay-window"] + found["replay"],
                        "forged": found["failed"],
                        "high": max(found.get("seq-hi", 0), found.get("oseq-hi", 0))}


def gateway_counters(path):
    with open(path, encoding="ascii") as file:
        for line in file:
            if not line.startswith("sa "):
                continue
            spi = int(re.search(r"spi ([0-9a-f]+)", line).group(1), 16)
            found = numbers_after(("late", "duplicate", "replayed", "bad_icv", "sequence"), line)
            yield spi, {"repeated": found["late"] + found["duplicate"] + found["replayed"],
                        "forged": found["bad_icv"], "high": found["sequence"] >> 32}


def say(what, wrong):
    for line in wrong[:10]:
        print("#", line)
    print("%s - %s" % ("not ok" if wrong else "ok", what))


def judge(states, log, replayed, forged):
    every = list(cases())
    for name, counters, side in (("the kernel", dict(kernel_counters(states)), "to_kernel"),
                                 ("natmux", dict(gateway_counters(log)), "to_user")):
        for key, wanted in (("repeated", int(replayed)), ("forged", int(forged))):
            wrong = ["%s: %d" % (case, counters[getattr(case, side)][key]) for case in every
                     if counters[getattr(case, side)][key] != wanted]
            say("%s counts exactly %d %s packets at each of %d SAs" % (
                name, wanted, key, len(every)), wrong)
        wrong = ["%s: %d" % (case, counters[spi]["high"]) for case in every if case.esn
                 for spi in (case.to_kernel, case.to_user)
                 if counters[spi]["high"] != (case.start >> 32) + 1]
        say("%s has crossed 2^32 with each SA that has extended numbers" % name, wrong)


if __name__ == "__main__":
    commands = {"count": count, "kernel": kernel, "gateway": gateway, "gateway-net": gateway_net, "hold": hold,
                "echo": echo, "ask": ask, "judge": judge}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
