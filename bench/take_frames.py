#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Turns GRO on for an interface, by which a veth takes whole frames also without an XDP program of its own.

usage: take_frames.py INTERFACE   (in its network namespace)
"""
import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL, ETHTOOL_SGRO = 0x8946, 0x2c

value = array.array("B", struct.pack("II", ETHTOOL_SGRO, 1))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, SIOCETHTOOL, struct.pack("16sP16x", sys.argv[1].encode(), value.buffer_info()[0]))
