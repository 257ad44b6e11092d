#!/usr/bin/env python3
"""What a network says in place of a server, in a network namespace.

usage: network.py router DEVICE ADDRESS: a router at the end of DEVICE, which
       answers every packet with "network unreachable" (RFC 792)
       network.py names: a name server on loopback: www.example.test is
       127.0.0.1, and nobody knows about AAAA (SERVFAIL)
"""
import socket
import struct
import sys


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def router(device, address):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800))
    link.bind((device, 0))
    print("ready", flush=True)
    while True:
        frame = link.recv(2048)
        packet = frame[14:]
        if packet[9] != socket.IPPROTO_TCP:
            continue
        icmp = struct.pack("!BBHI", 3, 0, 0, 0) + packet[:28]
        icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 0, 0, 64,
                           socket.IPPROTO_ICMP, 0, socket.inet_aton(address),
                           packet[12:16])
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        link.send(frame[6:12] + frame[:6] + b"\x08\x00" + head + icmp)


def names():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    print("ready", flush=True)
    while True:
        query, client = server.recvfrom(512)
        end = query.index(b"\0", 12) + 5
        question = query[12:end]
        is_a = question[-4:-2] == b"\0\x01"
        answer = (b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x7f\0\0\x01"
                  if is_a else b"")
        server.sendto(query[:2] + (b"\x81\x80" if is_a else b"\x81\x82") +
                      struct.pack("!HHHH", 1, len(answer) > 0, 0, 0) +
                      question + answer, client)


if __name__ == "__main__":
    {"router": router, "names": names}[sys.argv[1]](*sys.argv[2:])
