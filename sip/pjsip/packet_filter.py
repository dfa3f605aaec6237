"""The program by which the kernel drops what strangers send: PJSIP itself would answer them. Pure.

It is a socket filter of the classic BPF (linux/filter.h). It looks at the source address in the IP header,
gives the whole packet to the socket when it is in one of the networks, and nothing otherwise. On a listening
TCP socket it sees the SYN: a stranger finds the port as silent as one that is not there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple

Network = IPv4Network | IPv6Network

MAX_INSTRUCTIONS: Final = 4096
"""BPF_MAXINSNS."""

_NETWORK_HEADER: Final = 0x100000000 - 0x100000
"""SKF_NET_OFF (-0x100000): offsets from here on count from the IP header."""
_V4_SOURCE: Final = _NETWORK_HEADER + 12
_V6_SOURCE: Final = _NETWORK_HEADER + 8

_LOAD_BYTE: Final = 0x30  # BPF_LD | BPF_B | BPF_ABS
_LOAD_WORD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_SHIFT_RIGHT: Final = 0x74  # BPF_ALU | BPF_RSH | BPF_K
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_JUMP: Final = 0x05  # BPF_JMP | BPF_JA
_JUMP_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K

_WORD: Final = 0xFFFFFFFF


class Instruction(NamedTuple):
    """`struct sock_filter`: jumps count the instructions to leave out."""

    code: int
    if_true: int
    if_false: int
    value: int


_ACCEPT: Final = Instruction(_RETURN, 0, 0, _WORD)
_DROP: Final = Instruction(_RETURN, 0, 0, 0)


def program(networks: Iterable[Network]) -> list[Instruction]:
    """Accepts what comes from the networks; raises ValueError for more than fit."""
    v4: list[Instruction] = []
    v6: list[Instruction] = []
    for network in sorted(set(networks), key=str):
        (v4 if network.version == 4 else v6).extend(_rule(network))
    made = [
        Instruction(_LOAD_BYTE, 0, 0, _NETWORK_HEADER),
        Instruction(_SHIFT_RIGHT, 0, 0, 4),
        Instruction(_JUMP_EQUAL, 1, 0, 4),
        Instruction(_JUMP, 0, 0, len(v4) + 1),
        *v4,
        _DROP,
        *v6,
        _DROP,
    ]
    if len(made) > MAX_INSTRUCTIONS:
        raise ValueError(f"the trunks have too many networks for one socket filter: {len(made)} instructions")
    return made


def packed(instructions: Iterable[Instruction]) -> bytes:
    """As the kernel wants it (`struct sock_filter[]`)."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def _rule(network: Network) -> list[Instruction]:
    """Accepts a packet from the network, or goes on behind the rule."""
    size = network.max_prefixlen // 32
    address = int(network.network_address)
    mask = int(network.netmask)
    first = _V4_SOURCE if network.version == 4 else _V6_SOURCE
    tests: list[tuple[int, int, int]] = []
    for index in range(size):
        shift = 32 * (size - 1 - index)
        bits = mask >> shift & _WORD
        if bits:
            tests.append((first + 4 * index, bits, address >> shift & _WORD))
    rule: list[Instruction] = []
    for index, (offset, bits, value) in enumerate(tests):
        behind = 3 * (len(tests) - index - 1) + 1
        rule += [
            Instruction(_LOAD_WORD, 0, 0, offset),
            Instruction(_AND, 0, 0, bits),
            Instruction(_JUMP_EQUAL, 0, behind, value),
        ]
    return [*rule, _ACCEPT]
