# SPDX-License-Identifier: BSD-3-Clause
"""A client in the other network namespace, over one socket.

usage: asking.py all ADDRESS ZONE COUNT     asks for the A records of hostN, and says how many answers were right
       asking.py late ADDRESS ZONE COUNT    asks, waits for a line, asks once more; says which answer comes first
"""
import socket
import struct
import sys

WINDOW, HOSTS = 64, 300


def question(number, zone):
    labels = [f"host{number % HOSTS}", *zone.split(".")]
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    return struct.pack(">6H", number % 65536, 0, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1)


def is_right(answer, number, zone):
    asked = question(number, zone)
    return (answer[:2] == asked[:2] and answer[12:len(asked)] == asked[12:] and answer[3] & 15 == 0
            and answer[-4:] == bytes([192, 0, 2, number % HOSTS % 250]))


def ask_all(asking, zone, count):
    right = 0
    for begin in range(0, count, WINDOW):
        wanted = dict.fromkeys(n % 65536 for n in range(begin, min(begin + WINDOW, count)))
        for number in range(begin, begin + len(wanted)):
            asking.send(question(number, zone))
        while wanted:
            answer = asking.recv(2000)
            number = struct.unpack(">H", answer[:2])[0]
            right += number in wanted and is_right(answer, number, zone)
            wanted.pop(number, None)
    print(right)


def ask_late(asking, zone, count):
    for number in range(count):
        asking.send(question(number, zone))
    print("asked", flush=True)
    sys.stdin.readline()
    asking.send(question(count, zone))
    print(struct.unpack(">H", asking.recv(2000)[:2])[0])


how, address, zone, count = sys.argv[1:]
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(10)
    asking.connect((address, 53))
    (ask_all if how == "all" else ask_late)(asking, zone, int(count))
