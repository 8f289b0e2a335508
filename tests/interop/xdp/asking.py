# SPDX-License-Identifier: BSD-3-Clause
"""A client in the other network namespace.

usage: asking.py all ADDRESS ZONE COUNT     asks for the A records of hostN from several ports, and says how many
                                            answers were right
       asking.py late ADDRESS ZONE COUNT    asks, waits for a line, asks once more; says which answer comes first
"""
import socket
import struct
import sys

WINDOW, PORTS, HOSTS = 64, 8, 300


def question(number, zone):
    labels = [f"host{number % HOSTS}", *zone.split(".")]
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    return struct.pack(">6H", number % 65536, 0, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1)


def is_right(answer, number, zone):
    asked = question(number, zone)
    return (answer[:2] == asked[:2] and answer[12:len(asked)] == asked[12:] and answer[3] & 15 == 0
            and answer[-4:] == bytes([192, 0, 2, number % HOSTS % 250]))


def ask_all(ports, zone, count):
    right = 0
    for begin in range(0, count, WINDOW):
        numbers = range(begin, min(begin + WINDOW, count))
        for number in numbers:
            ports[number % PORTS].send(question(number, zone))
        wanted = set(numbers)
        for port in [ports[number % PORTS] for number in numbers]:
            answer = port.recv(2000)
            number = next((n for n in wanted if is_right(answer, n, zone)), None)
            right += number is not None
            wanted.discard(number)
    print(right)


def ask_late(ports, zone, count):
    for number in range(count):
        ports[0].send(question(number, zone))
    print("asked", flush=True)
    sys.stdin.readline()
    ports[0].send(question(count, zone))
    print(struct.unpack(">H", ports[0].recv(2000)[:2])[0])


def port(address):
    opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    opened.settimeout(10)
    opened.connect((address, 53))
    return opened


how, address, zone, count = sys.argv[1:]
(ask_all if how == "all" else ask_late)([port(address) for _ in range(PORTS)], zone, int(count))
