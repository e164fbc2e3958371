#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Lets others judge natmux's ESP: scapy, tshark, and the primitives of python3-cryptography.

    esp_judges.py ESP_TOOL

Each judge that is not installed is named and left out; with none of them the exit status is 77
(skipped).
"""

import hashlib
import hmac
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    from scapy.layers import ipsec
    from scapy.layers.inet import IP, ICMP, TCP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.packet import Raw
except ImportError:
    ipsec = None
try:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
except ImportError:
    Cipher = None

ENGINES = ["ipsec-mb", "openssl", "sodium"]
SPI = 0x1234abcd
ROUNDS = 12
HASHES = {"sha1": (hashlib.sha1, 20, 12), "sha256": (hashlib.sha256, 32, 16),
          "sha384": (hashlib.sha384, 48, 24), "sha512": (hashlib.sha512, 64, 32)}
SCAPY_AUTH = {"sha1": "HMAC-SHA1-96", "sha256": "SHA2-256-128", "sha384": "SHA2-384-192",
              "sha512": "SHA2-512-256"}
TSHARK_AUTH = {"sha1": "HMAC-SHA-1-96 [RFC2404]", "sha256": "HMAC-SHA-256-128 [RFC4868]",
               "sha384": "HMAC-SHA-384-192 [RFC4868]", "sha512": "HMAC-SHA-512-256 [RFC4868]"}


def expect(is_so, *what):
    if not is_so:
        raise AssertionError(*what)


class Suite:
    """A suite by natmux's name: what the others call its parts."""

    def __init__(self, name, key_len, align):
        self.name, self.key_len, self.align = name, key_len, align
        self.hash = name.split("-")[1] if "-" in name else None
        self.is_chacha = name.startswith("chacha")
        self.is_gmac = name.endswith("gmac")
        self.is_null = name.startswith("null")
        self.is_gcm = "gcm" in name
        self.auth_len = HASHES[self.hash][1] if self.hash else 0
        self.icv_len = HASHES[self.hash][2] if self.hash else 16
        if self.is_gcm:
            self.icv_len = int(name.split("gcm")[1])
        self.iv_len = 0 if self.is_null else 16 if self.hash else 8

    def split(self, key):
        return key[:self.key_len - self.auth_len], key[self.key_len - self.auth_len:]


class Tool:
    """natmux's ESP: one command in, one answer out."""

    def __init__(self, path, engine):
        self.process = subprocess.Popen([path, engine], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        words = self.ask("suites").split()
        self.suites = [Suite(words[i], int(words[i + 1]), int(words[i + 2]))
                       for i in range(0, len(words), 3)]

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def seal(self, suite, key, number, esn, next_header, inner, tfc=0):
        return bytes.fromhex(self.ask("seal", suite.name, key.hex(), SPI, number, int(esn), tfc,
                                      next_header, inner.hex() or "-"))

    def open(self, suite, key, number, esn, packet):
        """The next header and the inner packet, or what was wrong."""
        words = self.ask("open", suite.name, key.hex(), SPI, number - 1, int(esn),
                         packet.hex()).split()
        if words[0] != "good":
            return words[0]
        return int(words[1]), bytes.fromhex("" if words[2] == "-" else words[2])

    def close(self):
        self.process.stdin.close()
        expect(self.process.wait(60) == 0, "esp_tool failed")


def numbers(dice, esn):
    high = dice.choice([0, 1, 0xfffffff0, dice.randrange(1 << 31)]) if esn else 0
    return high << 32 | dice.choice([1, 2, 0x7fffffff, 0xfffffff0, dice.randrange(1, 1 << 32)])


# cryptography: the primitives, put together here once more by the RFCs.

def raw_seal(suite, key, number, esn, iv, text):
    high, low = number >> 32, number & 0xffffffff
    header = struct.pack("!II", SPI, low)
    aad = struct.pack("!III", SPI, high, low) if esn else header
    if suite.hash:
        cipher_key, auth_key = suite.split(key)
        body = text
        if not suite.is_null:
            encryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).encryptor()
            body = iv + encryptor.update(text)
        covered = header + body + (struct.pack("!I", high) if esn else b"")
        icv = hmac.new(auth_key, covered, HASHES[suite.hash][0]).digest()[:suite.icv_len]
        return header + body + icv
    cipher_key, salt = key[:-4], key[-4:]
    if suite.is_chacha:
        return header + iv + ChaCha20Poly1305(cipher_key).encrypt(salt + iv, text, aad)
    if suite.is_gmac:
        return header + iv + text + AESGCM(cipher_key).encrypt(salt + iv, b"", aad + iv + text)
    sealed = AESGCM(cipher_key).encrypt(salt + iv, text, aad)
    return header + iv + sealed[:len(text) + suite.icv_len]


def padded(suite, inner, next_header):
    pad = -(len(inner) + 2) % suite.align
    return inner + bytes(range(1, pad + 1)) + bytes([pad, next_header])


def primitives_agree(tool, dice):
    """Octet for octet what we seal; and what was made here, we open."""
    for suite in tool.suites:
        for i in range(ROUNDS):
            esn = bool(i % 2)
            key, number = dice.randbytes(suite.key_len), numbers(dice, esn)
            inner = dice.randbytes(dice.choice([0, 1, 20, 1400, dice.randrange(3000)]))
            ours = tool.seal(suite, key, number, esn, 4, inner)
            iv = ours[8:8 + suite.iv_len]
            expect(ours == raw_seal(suite, key, number, esn, iv, padded(suite, inner, 4)),
                   suite.name, esn, len(inner))
            theirs = raw_seal(suite, key, number, esn, dice.randbytes(suite.iv_len),
                              padded(suite, inner, 41))
            expect(tool.open(suite, key, number, esn, theirs) == (41, inner), suite.name)
            broken = bytearray(theirs)
            broken[dice.randrange(len(broken) - suite.icv_len, len(broken))] ^= 1
            expect(tool.open(suite, key, number, esn, bytes(broken)) == "bad-icv", suite.name)


# scapy. It leaves the high half of the number out of HMACs, so with ESN these get their ICVs from here;
# it has no GMAC, and ICVs of GCM are always of 16 octets.

def scapy_sa(suite, key, esn, high):
    cipher_key, auth_key = suite.split(key)
    algorithm = ("NULL" if suite.is_null else "AES-CBC" if suite.hash else
                 "CHACHA20-POLY1305" if suite.is_chacha else "AES-GCM")
    return ipsec.SecurityAssociation(
        ipsec.ESP, spi=SPI, crypt_algo=algorithm, crypt_key=cipher_key or None,
        crypt_icv_size=suite.icv_len if suite.is_gcm else None,
        auth_algo=SCAPY_AUTH[suite.hash] if suite.hash else None, auth_key=auth_key or None,
        tunnel_header=IP(src="192.0.2.1", dst="192.0.2.2"), esn_en=esn, esn=high)


def with_icv(suite, key, packet, high=b""):
    """The packet with an HMAC over it and the high half of its number."""
    text = packet[:-suite.icv_len]
    icv = hmac.new(suite.split(key)[1], text + high, HASHES[suite.hash][0]).digest()
    return text + icv[:suite.icv_len]


def scapy_packet(dice):
    """An inner packet, as scapy builds it."""
    payload = Raw(dice.randbytes(dice.randrange(1200)))
    upper = dice.choice([TCP(sport=1, dport=2, flags="PA"), UDP(sport=3, dport=4), ICMP()])
    if dice.randrange(2) and not isinstance(upper, ICMP):
        packet = IPv6(src="2001:db8::1", dst="2001:db8::2") / upper / payload
        return 41, bytes(packet)
    return 4, bytes(IP(src="10.0.0.1", dst="10.0.0.2") / upper / payload)


def scapy_both_ways(tool, dice):
    for suite in tool.suites:
        if suite.is_gmac or (suite.is_gcm and suite.icv_len < 16):
            continue
        for i in range(ROUNDS):
            esn = bool(i % 2)
            key, number = dice.randbytes(suite.key_len), numbers(dice, esn)
            high = struct.pack("!I", number >> 32)
            next_header, inner = scapy_packet(dice)
            sa = scapy_sa(suite, key, esn and not suite.hash, number >> 32)
            ours = tool.seal(suite, key, number, esn, next_header, inner)
            if esn and suite.hash:
                expect(ours == with_icv(suite, key, ours, high), suite.name)
                ours = with_icv(suite, key, ours)
            outer = IP(src="192.0.2.1", dst="192.0.2.2", proto=50)
            opened = sa.decrypt(IP(bytes(outer / Raw(ours))))
            expect(bytes(opened) == inner, suite.name, esn)
            theirs = sa.encrypt((IP if next_header == 4 else IPv6)(inner),
                                seq_num=number & 0xffffffff)
            theirs = bytes(theirs[ipsec.ESP])
            if esn and suite.hash:
                expect(tool.open(suite, key, number, esn, theirs) == "bad-icv", suite.name)
                theirs = with_icv(suite, key, theirs, high)
            expect(tool.open(suite, key, number, esn, theirs) == (next_header, inner),
                   suite.name, esn)


# tshark: what we send is ESP in UDP on port 4500, and its keys go to the esp_sa table.

def write_pcap(path, payloads):
    """Raw IPv4 from 192.0.2.1 to 192.0.2.2, UDP from port 4500 to 4500."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for payload in payloads:
            udp = struct.pack("!HHHH", 4500, 4500, 8 + len(payload), 0) + payload
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                             bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
            file.write(struct.pack("<IIII", 0, 0, 20 + len(udp), 20 + len(udp)) + ip + udp)


def tshark_line(suite, key):
    cipher_key, auth_key = suite.split(key)
    cipher = ("NULL" if suite.is_null else "AES-CBC [RFC3602]" if suite.hash else
              f"AES-GCM with {suite.icv_len} octet ICV [RFC4106]")
    words = ["IPv4", "192.0.2.1", "192.0.2.2", f"0x{SPI:08x}", cipher,
             "0x" + cipher_key.hex() if cipher_key else "",
             TSHARK_AUTH[suite.hash] if suite.hash else "NULL",
             "0x" + auth_key.hex() if auth_key else ""]
    return "uat:esp_sa:" + ",".join(f'"{word}"' for word in words)


def tshark_reads(suite, key, payloads):
    fields = ["esp.sequence", "esp.icv_good", "esp.pad_len", "esp.protocol", "ip.len",
              "icmp.checksum.status", "icmp.seq"]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "esp.pcap")
        write_pcap(path, payloads)
        command = ["tshark", "-r", path, "-T", "fields", "-E", "separator=|", "-E",
                   "occurrence=l", "-o", "esp.enable_encryption_decode:TRUE",
                   "-o", "esp.enable_authentication_check:TRUE", "-o", tshark_line(suite, key)]
        for field in fields:
            command += ["-e", field]
        out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    rows = [line.split("|") for line in out.stdout.splitlines()]
    expect(len(rows) == len(payloads), len(rows))
    return rows


def ping(dice, sequence):
    """An echo request, made without scapy."""
    data = struct.pack("!BBHHH", 8, 0, 0, 1, sequence) + dice.randbytes(dice.randrange(500))
    words = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    data = data[:2] + struct.pack("!H", ~total & 0xffff) + data[4:]
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 0, 0, 64, 1, 0,
                       bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])) + data


def tshark_decrypts_ours(tool, dice):
    for suite in tool.suites:
        if suite.is_gmac or suite.is_chacha:
            continue  # it has neither
        key = dice.randbytes(suite.key_len)
        inners = [ping(dice, 1000 + i) for i in range(ROUNDS)]
        sealed = [tool.seal(suite, key, 50 + i, False, 4, inner)
                  for i, inner in enumerate(inners)]
        broken = bytearray(sealed[-1])
        broken[-1] ^= 1
        rows = tshark_reads(suite, key, sealed + [bytes(broken)])
        for i, (inner, row) in enumerate(zip(inners, rows)):
            pad = -(len(inner) + 2) % suite.align
            expect([int(field, 0) for field in row] ==
                   [50 + i, 1, pad, 4, len(inner), 1, 1000 + i], suite.name, row)
        expect(rows[-1][1] == "0", "tshark would call any ICV good", suite.name)


def main(argv):
    judges = [
        ("cryptography", Cipher is not None, primitives_agree),
        ("scapy", ipsec is not None, scapy_both_ways),
        ("tshark", shutil.which("tshark") is not None, tshark_decrypts_ours),
    ]
    ran = 0
    for name, is_there, judge in judges:
        if not is_there:
            print(f"skipped: {name} is not installed")
            continue
        for engine in ENGINES if name != "tshark" else [""]:
            tool = Tool(argv[1], engine or "none")
            judge(tool, random.Random(name))
            tool.close()
        print(f"ok: {name}: {judge.__name__}")
        ran += 1
    return 0 if ran > 0 else 77


if __name__ == "__main__":
    sys.exit(main(sys.argv))
