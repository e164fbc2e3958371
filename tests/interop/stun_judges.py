#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Lets others judge natmux's STUN: aioice, tshark and coturn.

    stun_judges.py STUN_TOOL STUN_LIVE

Each judge that is not installed is named and left out; with none of them the exit status is 77
(skipped). Everything happens on the loopback and ends by itself.
"""

import os
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

try:
    from aioice import stun
except ImportError:
    stun = None

ROUNDS = 200
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"


class Tool:
    """natmux's codec: one command in, one answer out."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def ask(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def check(self, password, data):
        answer = self.ask("check", password, data.hex())
        return dict(word.split("=", 1) for word in answer.split()) if "=" in answer else None

    def close(self):
        self.process.stdin.close()
        if self.process.wait(60) != 0:
            raise AssertionError("stun_tool failed")


def expect(is_so, *what):
    if not is_so:
        raise AssertionError(*what)


def words(dice, length):
    return "".join(dice.choice(ALPHABET) for _ in range(length))


def build(tool, dice, algorithm, password):
    """An ICE check made by natmux; returns it and what it should say."""
    said = {
        "tid": bytes(dice.randrange(256) for _ in range(12)),
        "username": words(dice, dice.randrange(1, 60)),
        "priority": dice.randrange(1 << 32),
        "tie": dice.randrange(1 << 64),
    }
    hexed = tool.ask("build", algorithm, password, said["tid"].hex(), said["username"],
                     str(said["priority"]), f"{said['tie']:016x}")
    return bytes.fromhex(hexed), said


def aioice_reads_ours(tool, dice):
    for _ in range(ROUNDS):
        password = words(dice, dice.randrange(1, 80))
        data, said = build(tool, dice, "sha1", password)
        message = stun.parse_message(data, integrity_key=password.encode())
        expect(message.transaction_id == said["tid"])
        expect(message.message_method == stun.Method.BINDING)
        expect(message.message_class == stun.Class.REQUEST)
        expect(message.attributes["USERNAME"] == said["username"])
        expect(message.attributes["PRIORITY"] == said["priority"])
        expect(message.attributes["ICE-CONTROLLING"] == said["tie"])
        expect("USE-CANDIDATE" in message.attributes)
        expect("FINGERPRINT" in message.attributes)
        try:
            stun.parse_message(data, integrity_key=(password + "x").encode())
        except ValueError:
            continue
        raise AssertionError("aioice accepts another password")


def we_read_aioice(tool, dice):
    for _ in range(ROUNDS):
        password, user = words(dice, dice.randrange(1, 80)), words(dice, dice.randrange(1, 60))
        mapped = dice.choice([("192.0.2.77", dice.randrange(1, 65536)),
                              ("2001:db8::77", dice.randrange(1, 65536))])
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes["USERNAME"] = user
        message.attributes["PRIORITY"] = dice.randrange(1 << 32)
        message.attributes["ICE-CONTROLLING"] = dice.randrange(1 << 64)
        message.attributes["XOR-MAPPED-ADDRESS"] = mapped
        message.add_message_integrity(password.encode())
        data = bytes(message)
        said = tool.check(password, data)
        text = f"[{mapped[0]}]:{mapped[1]}" if ":" in mapped[0] else f"{mapped[0]}:{mapped[1]}"
        expect(said["sha1"] == "right" and said["fingerprint"] == "1", said)
        expect(said["username"] == user and said["mapped"] == text, said)
        expect(int(said["priority"]) == message.attributes["PRIORITY"], said)
        expect(int(said["controlling"], 16) == message.attributes["ICE-CONTROLLING"], said)
        expect(tool.check(password + "x", data)["sha1"] == "wrong")
        expect(tool.ask("classify", data.hex()) == "stun")
        broken = bytearray(data)
        broken[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        expect(tool.ask("classify", broken.hex()) == "esp")


def aioice_reads_our_replies(tool, dice):
    for _ in range(ROUNDS):
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        mapped = dice.choice([("198.51.100.9", dice.randrange(1, 65536)),
                              ("2001:db8:9::9", dice.randrange(1, 65536))])
        text = f"[{mapped[0]}]:{mapped[1]}" if ":" in mapped[0] else f"{mapped[0]}:{mapped[1]}"
        reply = stun.parse_message(bytes.fromhex(
            tool.ask("respond", "open", text, bytes(request).hex())))
        expect(reply.message_class == stun.Class.RESPONSE)
        expect(reply.transaction_id == request.transaction_id)
        expect(reply.attributes["XOR-MAPPED-ADDRESS"] == mapped, reply.attributes)
        expect(tool.ask("respond", "strict", text, bytes(request).hex()) == "drop stun-larger")


def write_pcap(path, payloads):
    """UDP from port 3478 to 3478 in IPv4 without a link layer."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for payload in payloads:
            udp = struct.pack("!HHHH", 3478, 3478, 8 + len(payload), 0) + payload
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                             bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
            file.write(struct.pack("<IIII", 0, 0, 20 + len(udp), 20 + len(udp)) + ip + udp)


def tshark_reads(payloads):
    fields = ["stun.id", "stun.att.crc32.status", "stun.att.priority", "_ws.malformed"]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "stun.pcap")
        write_pcap(path, payloads)
        command = ["tshark", "-r", path, "-T", "fields", "-E", "separator=|"]
        for field in fields:
            command += ["-e", field]
        out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    rows = [line.split("|") for line in out.stdout.splitlines()]
    expect(len(rows) == len(payloads), len(rows))
    return rows


def tshark_checks_our_crc(tool, dice):
    messages = [build(tool, dice, dice.choice(["sha1", "both"]), "secret") for _ in range(50)]
    replies = [bytes.fromhex(tool.ask("respond", "open", "192.0.2.1:1", data.hex()))
               for data, _ in messages[:10]]
    broken = bytearray(messages[0][0])
    broken[-1] ^= 1
    rows = tshark_reads([data for data, _ in messages] + replies + [bytes(broken)])
    for (_, said), row in zip(messages, rows):
        expect(row == [said["tid"].hex(), "1", str(said["priority"]), ""], row)
    for row in rows[len(messages):-1]:
        expect(row[1] == "1" and row[3] == "", row)
    expect(rows[-1][1] == "0", "tshark would call any CRC right")


def run_stunclient(port, seconds):
    """What it finds; it may go on to ask for ever."""
    command = ["timeout", str(seconds), "stdbuf", "-oL", "turnutils_stunclient", "-p", str(port),
               "127.0.0.1"]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = None
    for line in client.stdout:
        found = re.search(r"UDP reflexive addr: (\S+)", line)
        if found:
            break
    client.terminate()
    client.wait()
    client.stdout.close()
    return found


def coturns_client_asks_us(live):
    for mode, is_answered in (("open", True), ("strict", False)):
        server = subprocess.Popen([live, "serve", mode, "60"], stdout=subprocess.PIPE, text=True)
        try:
            found = run_stunclient(int(server.stdout.readline()), 30 if is_answered else 3)
        finally:
            server.kill()
            server.wait()
        expect(bool(found) == is_answered, mode)
        if found:
            expect(found.group(1).startswith("127.0.0.1:"), found.group(1))


def free_port():
    """None of those that the kernel gives to whoever asks for any, meanwhile perhaps."""
    while True:
        port = random.randrange(10000, 30000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def we_ask(live, port, seconds):
    out = subprocess.run([live, "ask", f"127.0.0.1:{port}", str(seconds)], capture_output=True,
                         text=True, timeout=seconds + 10)
    return dict(line.split(" ", 1) for line in out.stdout.splitlines() if " " in line)


def we_ask_coturn(live):
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["turnserver", "-n", "--stun-only", "--no-auth", "--no-cli", "--no-tls",
                   "--no-dtls", "--listening-ip", "127.0.0.1", "--listening-port", str(port),
                   "--relay-ip", "127.0.0.1", "--log-file", "stdout", "--simple-log",
                   "--pidfile", os.path.join(folder, "pid"), "--userdb",
                   os.path.join(folder, "db")]
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            said = we_ask(live, port, 30)
        finally:
            server.terminate()
            server.wait(60)
    expect(said.get("mapped") is not None and said["mapped"] == said["local"], said)


def main(argv):
    tool_path, live = argv[1], argv[2]
    judges = [
        ("aioice", stun is not None, [aioice_reads_ours, we_read_aioice, aioice_reads_our_replies]),
        ("tshark", shutil.which("tshark") is not None, [tshark_checks_our_crc]),
        ("turnutils_stunclient", shutil.which("turnutils_stunclient") is not None,
         [coturns_client_asks_us]),
        ("turnserver", shutil.which("turnserver") is not None, [we_ask_coturn]),
    ]
    ran = 0
    for name, is_there, tests in judges:
        if not is_there:
            print(f"skipped: {name} is not installed")
            continue
        for test in tests:
            if name in ("aioice", "tshark"):
                tool = Tool(tool_path)
                test(tool, random.Random(name))
                tool.close()
            else:
                test(live)
            print(f"ok: {name}: {test.__name__}")
            ran += 1
    return 0 if ran > 0 else 77


if __name__ == "__main__":
    sys.exit(main(sys.argv))
