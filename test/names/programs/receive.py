"""Receives on sockets that were turned to the resolver, in every way there is, and prints what came from whom. Takes the name to ask for."""
import ctypes
import select
import signal
import socket
import struct
import sys
import time

name = sys.argv[1]
labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
query = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"
RCVTIMEO = 20
TIMESTAMP = 29

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.sendto(query, ("192.0.2.53", 53))
data, source = udp.recvfrom(512)
print("recvfrom", data[:2].hex(), source)
udp.sendto(query, ("192.0.2.54", 53))
data, _, flags, source = udp.recvmsg(20)
print("recvmsg", len(data), bool(flags & socket.MSG_TRUNC), source)
udp.sendto(query, ("192.0.2.55", 53))
peeked, source = udp.recvfrom(16, socket.MSG_PEEK)
print("peek", len(peeked), source)
data, source = udp.recvfrom(512, socket.MSG_DONTWAIT)
print("after the peek", len(data) > 16, source)
try:
    udp.recvfrom(512, socket.MSG_DONTWAIT)
except BlockingIOError:
    print("nothing left")
udp.setsockopt(socket.SOL_SOCKET, RCVTIMEO, struct.pack("ll", 0, 300000))
start = time.monotonic()
try:
    udp.recvfrom(512)
except BlockingIOError:
    print("timeout", 0.2 < time.monotonic() - start < 1)
udp.setsockopt(socket.SOL_SOCKET, RCVTIMEO, struct.pack("ll", 0, 0))


class Rung(Exception):
    pass


def ring(*_):
    raise Rung


signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.3)
start = time.monotonic()
try:
    udp.recvfrom(512)
except Rung:
    print("signal", 0.2 < time.monotonic() - start < 2)
udp6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp6.sendto(query, ("2001:db8::53", 53))
print("v6", udp6.recvfrom(512)[1])
udp6.sendto(query, ("::ffff:192.0.2.56", 53))
print("mapped", udp6.recvfrom(512)[1])
connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
connected.connect(("192.0.2.57", 53))
connected.send(query)
print("connected", connected.recvfrom(512)[1])
pair, other = socket.socketpair()
other.sendmsg([b"untouched"])
print("a pair", pair.recvmsg(20)[0].decode())
stamped = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
stamped.setsockopt(socket.SOL_SOCKET, TIMESTAMP, 1)
stamped.sendto(query, ("192.0.2.60", 53))
_, control, _, source = stamped.recvmsg(512, 256)
told = [kind for level, kind, data in control if level == socket.SOL_SOCKET and len(data) == 16]
print("control", "SCM_TIMESTAMP" if told == [TIMESTAMP] else control, source)


class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Message(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("parts", ctypes.POINTER(Part)),
        ("part_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_size_t),  # of 4 bytes, and 4 that fill the header
        ("count", ctypes.c_size_t),  # the same
    ]


many = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for server in ("192.0.2.61", "192.0.2.62"):
    many.sendto(query, (server, 53))
    # Waits until the answer is there.
    select.select([many], [], [])
    time.sleep(0.05)
names = [ctypes.create_string_buffer(16) for _ in range(4)]
rooms = [ctypes.create_string_buffer(512) for _ in range(4)]
messages = (Message * 4)()
for message, from_whom, room in zip(messages, names, rooms):
    part = Part(ctypes.cast(room, ctypes.c_void_p), 512)
    message.name, message.name_length = ctypes.cast(from_whom, ctypes.c_void_p), 16
    message.parts, message.part_count = ctypes.pointer(part), 1
count = ctypes.CDLL(None).recvmmsg(many.fileno(), messages, 4, 0x10000, None)  # MSG_WAITFORONE
print("recvmmsg", count, *[struct.unpack(">H", of.raw[2:4])[0] for of in names[:count]])
tcp = socket.create_connection(("192.0.2.58", 53))
tcp.sendall((struct.pack(">H", len(query)) + query) * 3)
answers = b""
while len(answers) < 3 * (2 + len(data)):
    answers += tcp.recv(4096)
print("tcp", len(answers) == 3 * (2 + len(data)))
