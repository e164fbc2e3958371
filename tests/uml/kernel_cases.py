#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The cases of esp_cases.py with natmuxd's kernel plane in the place of its user plane.

    kernel_cases.py count        how many there are
    kernel_cases.py plain        states, policies, addresses, routes of `ip xfrm`'s end: ip -batch
    kernel_cases.py conf DIR     natmux.conf of natmuxd's end; keys are written to DIR
    kernel_cases.py net          addresses and routes of that end: for ip -batch
    kernel_cases.py hold ADDRESS[/PORT]...  gives these to XFRM, until it is killed
    kernel_cases.py judge LIST   what natmuxd has counted: the answer to `sa list`

natmux.conf has no word for where numbers begin: here they begin at 0.
"""
import json
import os
import socket
import sys

import esp_cases


every_case = esp_cases.cases


def cases():
    for case in every_case():
        case.start = 0
        yield case


def plain():
    esp_cases.cases = cases
    esp_cases.kernel()
    for prefix, via in (("10.1.0.0/16", "10.9.0.1"), ("fd01::/16", "fd09::1")):
        print("route add %s via %s" % (prefix, via))


def write_key(directory, case, spi):
    path = "%s/%08x" % (directory, spi)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(b"".join(case.key(spi)).hex())
    return path


def section(case, way, spi, directory):
    selector = "src %s dst %s" % (case.kernel_inner, case.user_inner)
    port = "%s:4500" if case.outer == 4 else "[%s]:4500"
    print('sa "%s%d" {' % (way, case.number))
    for key, value in (("direction", way), ("spi", "%#x" % spi), ("suite", case.suite),
                       ("key-file", '"%s"' % write_key(directory, case, spi)),
                       ("mode", "transport" if case.is_transport else "tunnel"),
                       ("local", '"%s"' % case.user_wire),
                       ("remote", '"%s"' % (port % case.kernel_wire)),
                       ("reqid", case.number + 1), ("esn", "yes" if case.esn else "no")):
        print("\t%s = %s" % (key, value))
    if way == "in":
        print('\tselectors = { "%s" }' % selector)
    print("}")


def conf(directory):
    for case in cases():
        section(case, "in", case.to_user, directory)
        section(case, "out", case.to_kernel, directory)
        print('policy "p%d" {\n\treqid = %d\n\tselector = "src %s dst %s"\n}' % (
            case.number, case.number + 1, case.user_inner, case.kernel_inner))


def net():
    for case in cases():
        bits = 32 if case.inner == 4 else 128
        if not case.is_transport:
            print("address add %s/%d dev lo" % (case.user_inner, bits))
    for prefix, via in (("10.2.0.0/16", "10.9.0.2"), ("10.8.0.0/16", "10.9.0.2"),
                        ("fd02::/16", "fd09::2"), ("fd08::/16", "fd09::2")):
        print("route add %s via %s" % (prefix, via))


def hold(*ends):
    sockets = []
    for end in ends:
        address, _, port = end.partition("/")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_UDP, 100, 2)  # UDP_ENCAP, UDP_ENCAP_ESPINUDP
        esp_cases.bypass(sock)
        sock.bind((address, int(port or 4500)))
        sockets.append(sock)
    print("ready", flush=True)
    while True:
        sockets[0].recv(65535)


def judge(path):
    with open(path, encoding="utf-8") as file:
        sas = {(sa["direction"], int(sa["spi"], 16)): sa for sa in json.load(file)["sas"]}
    silent, wrong = [], []
    for case in cases():
        for way, spi in (("in", case.to_user), ("out", case.to_kernel)):
            sa = sas.get((way, spi))
            if not sa or sa["counters"]["packets"] == 0 or sa["sequence"] == 0:
                silent.append("%s %s" % (case, way))
            elif sa["plane"] != "kernel" or sa["suite"] != case.suite or sa["esn"] != case.esn:
                wrong.append("%s %s: %s" % (case, way, sa))
    esp_cases.say("sa list has counted packets of each SA", silent)
    esp_cases.say("and says which they are", wrong)


if __name__ == "__main__":
    commands = {"count": lambda: print(sum(1 for _ in cases())), "plain": plain, "conf": conf,
                "net": net, "hold": hold, "judge": judge}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
