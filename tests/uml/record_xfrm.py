#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Records what `ip xfrm` and the kernel say to each other, for tests/vectors/xfrm.

Run by record_xfrm.sh, in a network namespace of its own, as root, where the kernel has ESP. For
each case there is a line "case NAME", what was done as comments, and the netlink messages: "> hex"
to the kernel, "< hex" from it, where " 00*24 " stands for an octet so many times. Port ids are replaced by 0x1234 and sequence numbers by 0x5678, so
that a second run gives the same; what the kernel counts (times, indices) is left as it came.
"""
import os
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import esp_cases  # pylint: disable=wrong-import-position

NETLINK_XFRM = 6
GROUPS = (1, 2, 3, 4, 5, 8)  # acquire, expire, SA, policy, aevents, mapping
REQUEST = 1  # NLM_F_REQUEST, which the kernel never sets itself
PORT, SEQUENCE = 0x1234, 0x5678
UDP_ENCAP, ENCAP_UDP = 100, 2
GETAE, GETSA = 0x1F, 0x12
# The other end: a namespace that sends ESP from a port that nobody expects.
PEER = "record-peer"
V4 = "src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x%x"
V6 = "src 2001:db8::1 dst 2001:db8::2 proto esp spi 0x%x"
GCM = "aead rfc4106(gcm(aes)) 0x%s 128" % bytes(range(20)).hex()
CBC = "enc cbc(aes) 0x%s auth-trunc hmac(sha256) 0x%s 128" % (bytes(range(16)).hex(),
                                                             bytes(range(16, 48)).hex())
ENCAP = "encap espinudp 4500 4501 0.0.0.0"


class Recorder:
    def __init__(self):
        run("ip link add nlmon0 type nlmon")
        run("ip link set nlmon0 up")
        self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.tap.bind(("nlmon0", 0))
        self.listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM)
        self.listener.bind((0, 0))
        for group in GROUPS:
            self.listener.setsockopt(270, 1, group)

    def frames(self, wait=0.05):
        """Datagrams that passed since the last call."""
        self.tap.settimeout(wait)
        while True:
            try:
                data, address = self.tap.recvfrom(1 << 16)
            except (socket.timeout, BlockingIOError):
                return
            if socket.ntohs(address[1]) == NETLINK_XFRM or address[1] == NETLINK_XFRM:
                yield data

    def case(self, name, *steps, events=False, wait=0.05):
        """Runs each step and prints what passed; events: also what comes to a listener."""
        list(self.frames(0.01))
        drain(self.listener)
        print("case", name)
        for step in steps:
            if callable(step):
                step()
            else:
                run("ip xfrm " + step, check=False, quote=True)
        for data in drain(self.listener, wait) if events else self.frames(wait):
            show(data)
        print()


def run(command, check=True, quote=False):
    if quote:
        print("#", command)
    done = subprocess.run(command.split() if '""' not in command else ["sh", "-c", quoted(command)],
                          capture_output=True, text=True, check=False)
    if check and done.returncode:
        sys.exit("%s: %s" % (command, done.stderr))
    for line in done.stderr.splitlines():
        print("# says:", line)


def quoted(command):
    return command.replace("(", r"\(").replace(")", r"\)")


def drain(listener, wait=0.01):
    heard = []
    listener.settimeout(wait)
    while True:
        try:
            heard.append(listener.recv(1 << 16))
        except (socket.timeout, BlockingIOError):
            return heard


def written(data):
    """Hexadecimal, with octets that come eight times and more written once."""
    text, at = "", 0
    while at < len(data):
        run_len = 1
        while at + run_len < len(data) and data[at + run_len] == data[at]:
            run_len += 1
        text += " %02x*%d " % (data[at], run_len) if run_len >= 8 else "%02x" % data[at] * run_len
        at += run_len
    return text.strip()


def show(data):
    """One line for each message of a datagram."""
    while len(data) >= 16:
        length, kind, flags, sequence, port = struct.unpack_from("=IHHII", data)
        message = struct.pack("=IHHII", length, kind, flags, SEQUENCE if sequence else 0,
                              PORT if port else 0) + data[16:length]
        if kind == 2 and length >= 36:  # NLMSG_ERROR quotes the request's header
            inner = struct.unpack_from("=IHHII", data, 20)
            message = message[:20] + struct.pack("=IHHII", *inner[:3], SEQUENCE, PORT) + message[36:]
        if length < 16 or length > len(data):
            sys.exit("broken message")
        print(">" if flags & REQUEST else "<", written(message))
        data = data[(length + 3) & ~3:]


def ask(kind, spi, flags=1):
    """A request that `ip` has no command for: GETAE of a state to 192.0.2.2."""
    def step():
        print("# by hand: GETAE, spi 0x%x" % spi)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as sock:
            sa_id = struct.pack("=4s12x4sHBx", bytes((192, 0, 2, 2)), struct.pack(">I", spi), 2, 50)
            body = sa_id + struct.pack("=16xII", 0x2 | 0x4, 0)
            sock.bind((0, 0))
            sock.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
            sock.settimeout(1)
            sock.recv(1 << 16)
    return step


def shell(command):
    def step():
        run(command, check=False, quote=True)
    return step


def suites(recorder):
    for number, (name, key, auth, words) in enumerate(esp_cases.suites()):
        keys = [bytes(range(key)), bytes(range(0x80, 0x80 + auth))]
        values = ["0x" + k.hex() for k in keys if k]
        state = V4 % (0x1000 + number)
        recorder.case("suite " + name,
                      "state add %s reqid %d mode tunnel replay-window 32 %s %s"
                      % (state, number + 1, words.format(*values), ENCAP),
                      "state get " + state)
        run("ip xfrm state delete " + state, check=False)


def states(recorder):
    case = recorder.case
    for name, more in (
            ("plain", "mode tunnel"),
            ("transport", "mode transport reqid 7"),
            ("encap", "mode tunnel " + ENCAP),
            ("esn", "mode tunnel replay-window 128 flag esn"),
            ("window", "mode tunnel replay-window 1000"),
            ("numbers", "mode tunnel replay-window 32 replay-seq 0x1122 replay-oseq 0x3344"),
            ("esn-numbers", "mode tunnel replay-window 64 flag esn replay-seq 0x1122 "
             "replay-oseq 0x3344 replay-seq-hi 5 replay-oseq-hi 6"),
            ("flags", "mode tunnel flag noecn decap-dscp nopmtudisc wildrecv af-unspec"),
            ("extra", "mode tunnel extra-flag dont-encap-dscp oseq-may-wrap"),
            ("mark", "mode tunnel mark 0x11 mask 0xff"),
            ("output-mark", "mode tunnel output-mark 0x22 mask 0xf0"),
            ("if-id", "mode tunnel if_id 0x33"),
            ("tfc", "mode tunnel tfcpad 500"),
            ("seq", "mode tunnel seq 0x44"),
            ("limits", "mode tunnel limit byte-soft 1000 limit byte-hard 2000 limit packet-soft 3000 "
             "limit packet-hard 4000 limit time-soft 5000 limit time-hard 6000 limit time-use-soft "
             "7000 limit time-use-hard 8000"),
            ("selector", "mode tunnel sel src 10.1.0.0/16 dst 10.2.3.0/24 proto udp sport 53 dport 1024"),
            ("selector6", "mode tunnel flag af-unspec sel src 2001:db8:1::/48 dst 2001:db8:2::/56"),
            ("offload", "mode tunnel offload dev wan dir out")):
        mark = " mark 0x11 mask 0xff" if name == "mark" else ""
        case("state " + name, "state add %s %s %s" % (V4 % 0x2000, GCM, more),
             "state get " + V4 % 0x2000 + mark)
        run("ip xfrm state flush")
    case("state v6", "state add %s %s mode tunnel" % (V6 % 0x2001, GCM),
         "state get " + V6 % 0x2001)
    case("state add twice", "state add %s %s mode tunnel" % (V6 % 0x2001, GCM))
    case("state update", "state update %s %s mode tunnel reqid 9" % (V6 % 0x2001, GCM))
    case("state delete", "state delete " + V6 % 0x2001)
    case("state delete missing", "state delete " + V6 % 0x2001)
    case("state get missing", "state get " + V6 % 0x2001)
    case("state delete mark", "state add %s %s mode tunnel mark 0x11 mask 0xff" % (V4 % 0x2002, GCM),
         "state delete %s mark 0x11 mask 0xff" % (V4 % 0x2002))
    case("state bad algorithm", "state add %s enc nothing 0x00 mode tunnel" % (V4 % 0x2003))
    case("state bad key", "state add %s aead rfc4106(gcm(aes)) 0x00 128 mode tunnel" % (V4 % 0x2004))
    case("state allocspi", "state allocspi src 192.0.2.1 dst 192.0.2.2 proto esp reqid 5 mode tunnel "
         "min 0x2100 max 0x2100")
    run("ip xfrm state flush")
    for spi in range(0x2200, 0x2203):
        run("ip xfrm state add %s %s mode tunnel reqid %d" % (V4 % spi, CBC, spi))
    case("state dump", "state list")
    case("state get numbers", ask(GETAE, 0x2201))
    case("state flush", "state flush proto esp")


def policies(recorder):
    case = recorder.case
    tmpl = "tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1 mode tunnel"
    sel = "src 10.1.0.0/16 dst 10.2.0.0/16"
    for name, words in (
            ("out", "%s dir out priority 100 %s" % (sel, tmpl)),
            ("in", "%s dir in %s" % (sel, tmpl)),
            ("fwd", "%s dir fwd %s level use" % (sel, tmpl)),
            ("block", "%s dir out action block" % sel),
            ("bypass", "src 0.0.0.0/0 dst 0.0.0.0/0 dir out priority 5"),
            ("ports", "%s proto tcp sport 80 dport 443 dir out %s" % (sel, tmpl)),
            ("icmp", "%s proto icmp type 8 code 0 dir out flag localok icmp %s" % (sel, tmpl)),
            ("mark", "%s dir out mark 0x11 mask 0xff if_id 0x22 %s" % (sel, tmpl)),
            ("limits", "%s dir out limit packet-soft 1000 limit time-hard 6000 %s" % (sel, tmpl)),
            ("two", "%s dir out %s tmpl proto comp mode transport level use" % (sel, tmpl)),
            ("v6", "src 2001:db8:1::/48 dst 2001:db8:2::/48 dir out tmpl src 2001:db8::1 "
             "dst 2001:db8::2 proto esp spi 0x99 mode tunnel"),
            ("transport", "src 192.0.2.1/32 dst 192.0.2.2/32 dir out tmpl proto esp reqid 3 "
             "mode transport")):
        head = words.split(" dir ")[0]
        way = words.split(" dir ")[1].split()[0]
        mark = " mark 0x11 mask 0xff if_id 0x22" if name == "mark" else ""
        case("policy " + name, "policy add " + words, "policy get %s dir %s%s" % (head, way, mark))
        case("policy delete " + name, "policy delete %s dir %s%s" % (head, way, mark))
        run("ip xfrm policy flush")
    case("policy update", "policy update %s dir out %s" % (sel, tmpl))
    case("policy add twice", "policy add %s dir out %s" % (sel, tmpl))
    run("ip xfrm policy add %s dir in %s" % (sel, tmpl))
    case("policy dump", "policy list")
    case("policy flush", "policy flush")
    case("policy delete missing", "policy delete %s dir out" % sel)


def events(recorder):
    case = recorder.case
    tmpl = "tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1 mode tunnel"
    sel = "src 192.0.2.1/32 dst 10.2.0.0/16"
    state = V4 % 0x3000
    ping = shell("ping -c 1 -W 1 10.2.0.1")
    case("event state-added", "state add %s %s mode tunnel reqid 1 %s" % (state, GCM, ENCAP),
         events=True)
    case("event state-updated", "state update %s %s mode tunnel reqid 1 %s"
         % (state, GCM, ENCAP.replace("4501", "5555")), events=True)
    case("event state-deleted", "state delete " + state, events=True)
    case("event states-flushed", "state add %s %s mode tunnel" % (state, GCM), "state flush proto esp",
         events=True)
    case("event policy-added", "policy add %s dir out %s" % (sel, tmpl), events=True)
    case("event policy-updated", "policy update %s dir out priority 7 %s" % (sel, tmpl), events=True)
    case("event acquire", ping, events=True, wait=0.5)
    run("ip xfrm state flush")
    case("event soft", "state add %s %s mode tunnel reqid 1 limit packet-soft 1" % (state, GCM),
         ping, ping, events=True, wait=0.5)
    run("ip xfrm state flush")
    case("event hard", "state add %s %s mode tunnel reqid 1 limit time-hard 1" % (state, GCM),
         lambda: time.sleep(2.2), events=True, wait=0.5)
    run("ip xfrm state flush")
    run("sysctl -qw net.core.xfrm_aevent_rseqth=1")
    case("event replay", "state add %s %s mode tunnel reqid 1" % (state, GCM), ping, ping,
         events=True, wait=0.5)
    run("sysctl -qw net.core.xfrm_aevent_rseqth=2")
    case("event policy-deleted", "policy delete %s dir out" % sel, events=True)
    case("event policy-expired", "policy add %s dir out limit time-hard 1 %s" % (sel, tmpl),
         lambda: time.sleep(2.2), events=True, wait=0.5)
    run("ip xfrm policy add %s dir out %s" % (sel, tmpl))
    case("event policies-flushed", "policy flush", events=True)
    run("ip xfrm state flush")
    mapping(recorder)


def mapping(recorder):
    """Authentic packets from another port than the state says, and from another address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", 4500))
        sock.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, ENCAP_UDP)
        run("ip xfrm state add src 192.0.2.2 dst 192.0.2.1 proto esp spi 0x3100 %s mode tunnel reqid 2 "
            "replay-window 32 encap espinudp 4444 4500 0.0.0.0" % GCM)
        peer = "ip -n %s xfrm " % PEER
        for name, source in (("port", "192.0.2.2"), ("address", "192.0.2.3")):
            run(peer + "state flush")
            run(peer + "state add src %s dst 192.0.2.1 proto esp spi 0x3100 %s mode tunnel reqid 2 "
                "replay-oseq %d encap espinudp 5555 4500 0.0.0.0"
                % (source, GCM, 0 if name == "port" else 100))
            run(peer + "policy update src 0.0.0.0/0 dst 192.0.2.1/32 dir out tmpl src %s "
                "dst 192.0.2.1 proto esp reqid 2 mode tunnel" % source)
            recorder.case("event mapping-" + name,
                          shell("ip netns exec %s ping -c 1 -W 1 192.0.2.1" % PEER), events=True,
                          wait=0.5)


def main():
    run("ip netns add " + PEER)
    run("ip link add wan type veth peer name wan netns " + PEER)
    run("ip addr add 192.0.2.1/24 dev wan")
    run("ip addr add 2001:db8::1/64 dev wan nodad")
    run("ip link set wan up")
    run("ip -n %s addr add 192.0.2.2/24 dev wan" % PEER)
    run("ip -n %s addr add 192.0.2.3/24 dev wan" % PEER)
    run("ip -n %s link set wan up" % PEER)
    run("ip route add 10.2.0.0/16 via 192.0.2.2")
    recorder = Recorder()
    print("# Linux %s, %s" % (os.uname().release, os.uname().machine))
    print("#", subprocess.run(["ip", "-V"], capture_output=True, text=True, check=True).stdout.strip())
    print()
    suites(recorder)
    states(recorder)
    policies(recorder)
    events(recorder)


main()
