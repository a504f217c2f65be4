"""RFC 4253 §7.1: KEXINIT, what is chosen, and the fingerprint."""

from hashlib import md5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ssh_pieces import COOKIE, KEXINIT, LISTS, kexinit_payload, packet

from probe.ssh import kexinit as kexinit_module
from probe.ssh import rules
from probe.ssh.kexinit import (
    KNOWN_OCTETS,
    KNOWN_OFFERS,
    OFFER,
    Algorithms,
    KexInit,
    Negotiated,
    decode_kexinit,
    encode_kexinit,
    hassh_server,
    negotiate,
)
from probe.ssh.rules import Finding, Findings, ProtocolViolation

PAYLOAD = KEXINIT[5:-6]

Lists = tuple[tuple[bytes, ...], ...]


def decode(payload: bytes) -> tuple[KexInit, list[Finding]]:
    findings = Findings()
    return decode_kexinit(payload, findings), list(findings.seen())


def with_list(index: int, *names: bytes) -> Lists:
    return (*LISTS[:index], names, *LISTS[index + 1 :])


# The builder of the other tests writes what was written by hand.
def test_builder_against_octets() -> None:
    assert kexinit_payload() == PAYLOAD
    assert packet(kexinit_payload()) == KEXINIT


# R30: every field in its place, and nothing odd.
def test_lawful_kexinit() -> None:
    kexinit, findings = decode(PAYLOAD)
    assert kexinit == (COOKIE, LISTS, False, 0)
    assert findings == []


# What is remembered of an offer is not its cookie, and a finding is noted each time.
@pytest.mark.parametrize("cookie", [COOKIE, COOKIE[::-1]])
def test_an_offer_that_was_seen_before(cookie: bytes) -> None:
    kexinit, findings = decode(encode_kexinit(cookie, Algorithms(*with_list(8, b"x"))))
    assert kexinit == (cookie, with_list(8, b"x"), False, 0)
    assert [finding.rule for finding in findings] == [rules.LANGUAGES_NOT_EMPTY]


def test_hostile_offers_fill_no_memory() -> None:
    cache = kexinit_module._read_known_lists  # noqa: SLF001 - nothing else shows what is kept
    for number in range(2 * KNOWN_OFFERS):
        decode(encode_kexinit(COOKIE, Algorithms(*with_list(0, b"%d" % number))))
    before = cache.cache_info()
    decode(encode_kexinit(COOKIE, Algorithms(*with_list(0, *[b"name"] * KNOWN_OCTETS))))
    assert cache.cache_info() == before
    assert before.currsize <= KNOWN_OFFERS


# R30: the fields' names in wire order are the RFC's.
def test_field_names() -> None:
    assert Algorithms._fields == (
        "kex_algorithms",
        "server_host_key_algorithms",
        "encryption_algorithms_client_to_server",
        "encryption_algorithms_server_to_client",
        "mac_algorithms_client_to_server",
        "mac_algorithms_server_to_client",
        "compression_algorithms_client_to_server",
        "compression_algorithms_server_to_client",
        "languages_client_to_server",
        "languages_server_to_client",
    )


# K16, R27, R39: names that are odd.
@pytest.mark.parametrize(
    ("names", "rule", "name"),
    [
        ((b"a" * 65,), rules.NAME_LONG, b"a" * 65),
        ((b"a", b"", b"b"), rules.NAME_EMPTY, b""),
        ((b"a", b""), rules.NAME_EMPTY, b""),
        ((b"a\0",), rules.NAME_NOT_PRINTABLE, b"a\0"),
        ((b"a b",), rules.NAME_NOT_PRINTABLE, b"a b"),
        ((b"\xe4",), rules.NAME_NOT_PRINTABLE, b"\xe4"),
        ((b"a\x7f",), rules.NAME_NOT_PRINTABLE, b"a\x7f"),
        ((b"a@b@c",), rules.NAME_AT_SIGNS, b"a@b@c"),
        ((b"@b",), rules.NAME_AT_SIGNS, b"@b"),
        ((b"a@",), rules.NAME_AT_SIGNS, b"a@"),
        ((b"@",), rules.NAME_AT_SIGNS, b"@"),
        ((b"a", b"b", b"a"), rules.NAME_TWICE, b"a"),
    ],
)
def test_odd_name(names: tuple[bytes, ...], rule: rules.Rule, name: bytes) -> None:
    kexinit, findings = decode(kexinit_payload(with_list(1, *names)))
    assert findings == [Finding(rule, b"server_host_key_algorithms: " + name)]
    assert kexinit.algorithms.server_host_key_algorithms == names


# R39: these are lawful.
@pytest.mark.parametrize(
    "name",
    [
        b"a" * 64,
        b"!#$%&'()*+-./:;<=>?",
        b"[\\]^_`{|}~",
        b"AZ09az",
        b"a@b",
        b"ecdh-sha2-1.3.132.0.10",
    ],
)
def test_lawful_name(name: bytes) -> None:
    assert decode(kexinit_payload(with_list(1, b"x", name, b"y")))[1] == []


# K16: one name can be odd in several ways, and each way is noted once, with its first name.
def test_each_oddity_is_noted_once() -> None:
    lists = with_list(1, b"@ ", b"@", b" ", b"", b"")
    codes = [finding.rule.code for finding in decode(kexinit_payload(lists))[1]]
    assert codes == ["name-empty", "name-not-printable", "name-at-signs", "name-twice"]


# Beware: what a finding keeps is capped, its field's name included.
def test_detail_of_a_long_name_is_cut() -> None:
    (finding,) = decode(kexinit_payload(with_list(1, b"a" * 1000)))[1]
    assert finding.detail == b"server_host_key_algorithms: " + b"a" * 228


# K17, K33, R26, R30, R32.
@pytest.mark.parametrize(
    ("payload", "finding"),
    [
        (kexinit_payload(follows=2), Finding(rules.BOOLEAN_NOT_0_OR_1, "2")),
        (kexinit_payload(follows=255), Finding(rules.BOOLEAN_NOT_0_OR_1, "255")),
        (kexinit_payload(reserved=1), Finding(rules.RESERVED_NOT_ZERO, "1")),
        (kexinit_payload(cookie=bytes(16)), Finding(rules.COOKIE_NOT_RANDOM, bytes(16))),
        (kexinit_payload(cookie=b"A" * 16), Finding(rules.COOKIE_NOT_RANDOM, b"A" * 16)),
        (
            kexinit_payload(with_list(8, b"en", b"de")),
            Finding(rules.LANGUAGES_NOT_EMPTY, b"en,de"),
        ),
        (kexinit_payload(with_list(9, b"en")), Finding(rules.LANGUAGES_NOT_EMPTY, b"en")),
    ],
)
def test_odd_field(payload: bytes, finding: Finding) -> None:
    assert decode(payload)[1] == [finding]


# R26, R37, K18: 0 is FALSE, every other value TRUE.
@pytest.mark.parametrize(("octet", "value"), [(0, False), (1, True), (2, True), (255, True)])
def test_first_kex_packet_follows(octet: int, value: bool) -> None:  # noqa: FBT001 - a table
    assert decode(kexinit_payload(follows=octet))[0].first_kex_packet_follows is value


# K12, K13, K15, R27, R30, R31: what cannot be read to its end ends the handshake.
@pytest.mark.parametrize(
    ("payload", "rule", "detail"),
    [
        (b"\x14", rules.KEXINIT_TRUNCATED, "1 octets"),
        (PAYLOAD[:16], rules.KEXINIT_TRUNCATED, "16 octets"),
        (PAYLOAD[:17], rules.KEXINIT_TRUNCATED, "17 octets"),
        (PAYLOAD[:20], rules.KEXINIT_TRUNCATED, "20 octets"),
        (PAYLOAD[:21], rules.NAME_LIST_BEYOND_PAYLOAD, "46 octets claimed, 0 left"),
        (PAYLOAD[:66], rules.NAME_LIST_BEYOND_PAYLOAD, "46 octets claimed, 45 left"),
        (PAYLOAD[:67], rules.KEXINIT_TRUNCATED, "67 octets"),
        (PAYLOAD[:-9], rules.KEXINIT_TRUNCATED, "164 octets"),
        (PAYLOAD[:-5], rules.KEXINIT_TRUNCATED, "168 octets"),
        (PAYLOAD[:-1], rules.KEXINIT_TRUNCATED, "172 octets"),
        (PAYLOAD + b"\0", rules.KEXINIT_TRAILING, "1 octets"),
        (
            PAYLOAD[:17] + b"\xff\xff\xff\xff" + PAYLOAD[21:],
            rules.NAME_LIST_BEYOND_PAYLOAD,
            "4294967295 octets claimed, 152 left",
        ),
    ],
)
def test_refused_kexinit(payload: bytes, rule: rules.Rule, detail: str) -> None:
    with pytest.raises(ProtocolViolation) as raised:
        decode(payload)
    assert raised.value.finding == Finding(rule, detail)


# K15, R31: each of the eight lists of algorithms, and none of the two of languages.
@pytest.mark.parametrize("index", range(8))
def test_empty_list_of_algorithms(index: int) -> None:
    with pytest.raises(ProtocolViolation) as raised:
        decode(kexinit_payload(with_list(index)))
    assert raised.value.finding == Finding(rules.ALGORITHMS_EMPTY, Algorithms._fields[index])


# R60: the marker counts in kex_algorithms alone, and only the server's.
@pytest.mark.parametrize(
    ("lists", "offers"),
    [
        (LISTS, True),
        (with_list(0, b"kex-strict-s-v00@openssh.com", b"curve25519-sha256"), True),
        (with_list(0, b"curve25519-sha256"), False),
        (with_list(0, b"kex-strict-c-v00@openssh.com"), False),
        (with_list(0, b"kex-strict-s-v00@openssh.com.example"), False),
        ((*with_list(0, b"x")[:1], (b"kex-strict-s-v00@openssh.com",), *LISTS[2:]), False),
    ],
)
def test_strict_kex_marker(lists: Lists, offers: bool) -> None:  # noqa: FBT001 - a table
    assert decode(kexinit_payload(lists))[0].offers_strict_kex is offers


def test_encode_kexinit() -> None:
    assert encode_kexinit(COOKIE, Algorithms(*LISTS)) == PAYLOAD


NAMES = st.lists(
    st.from_regex(rb"[a-z0-9.-]{1,20}(@[a-z.]{1,20})?", fullmatch=True),
    min_size=1,
    max_size=6,
    unique=True,
).map(tuple)


@settings(deadline=None)
@given(
    st.binary(min_size=16, max_size=16).filter(lambda cookie: len(set(cookie)) > 1),
    st.tuples(*[NAMES] * 8, st.just(()), st.just(())),
)
def test_kexinit_read_after_written_is_itself(cookie: bytes, lists: Lists) -> None:
    kexinit, findings = decode(encode_kexinit(cookie, Algorithms(*lists)))
    assert kexinit == (cookie, lists, False, 0)
    assert findings == []


# Negotiation. ------------------------------------------------------------------------------------


def agreed(client: Lists, server: Lists) -> Negotiated:
    return negotiate(Algorithms(*client), Algorithms(*server))


def replaced(lists: Lists, names: dict[int, bytes]) -> Lists:
    """``lists``, some of them replaced by a single name."""
    return tuple((names[at],) if at in names else lists[at] for at in range(len(lists)))


CLIENT: Lists = (
    (b"k1", b"k2", b"k3"),
    (b"h1", b"h2"),
    (b"chacha20-poly1305@openssh.com", b"c1", b"c2"),
    (b"chacha20-poly1305@openssh.com", b"c1", b"c2"),
    (b"m1", b"m2"),
    (b"m1", b"m2"),
    (b"none", b"zlib"),
    (b"none", b"zlib"),
    (),
    (),
)
SERVER: Lists = (
    (b"k3", b"k2"),
    (b"h2", b"h1"),
    (b"c2", b"c1"),
    (b"c2",),
    (b"m2", b"m1"),
    (b"m2",),
    (b"zlib", b"none"),
    (b"zlib",),
    (b"en",),
    (b"en",),
)


# R34, R35: the first of the client's names that the server has; the server's order is nothing.
def test_the_clients_order_decides() -> None:
    assert agreed(CLIENT, SERVER) == (b"k2", b"h1", b"c1", b"c2", b"m1", b"m2", b"none", b"zlib")


# R34: the same first guess on both sides is chosen.
def test_same_first_guess() -> None:
    assert agreed(LISTS, LISTS) == tuple(names[0] for names in LISTS[:8])


# R35: where nothing is in common nothing is chosen, list by list.
@pytest.mark.parametrize("index", range(8))
def test_nothing_in_common(index: int) -> None:
    server = (*SERVER[:index], (b"other",), *SERVER[index + 1 :])
    assert [at for at, name in enumerate(agreed(CLIENT, server)) if name is None] == [index]


# R39: names are case-sensitive.
def test_case_matters() -> None:
    assert agreed(CLIENT, ((b"K1",), *SERVER[1:])).kex_algorithm is None


# OpenSSH PROTOCOL §1.6: with a cipher that authenticates, the MAC is implicit, by direction.
@pytest.mark.parametrize(
    "cipher",
    [b"chacha20-poly1305@openssh.com", b"aes128-gcm@openssh.com", b"aes256-gcm@openssh.com"],
)
def test_mac_is_implicit(cipher: bytes) -> None:
    up = agreed(replaced(CLIENT, {2: cipher}), replaced(SERVER, {2: cipher, 4: b"x"}))
    assert up[2:6] == (cipher, b"c2", b"", b"m2")
    down = agreed(replaced(CLIENT, {3: cipher}), replaced(SERVER, {3: cipher, 5: b"x"}))
    assert down[2:6] == (b"c1", cipher, b"m1", b"")


# A cipher that is merely listed by both does not excuse the MAC: the chosen one must authenticate.
def test_mac_is_needed_when_another_cipher_is_chosen() -> None:
    ciphers = (b"c1", b"aes128-gcm@openssh.com")
    client = (*CLIENT[:2], ciphers, *CLIENT[3:])
    server = (*SERVER[:2], ciphers, *replaced(SERVER, {4: b"x"})[3:])
    assert agreed(client, server)[2:6] == (b"c1", b"c2", None, b"m2")


# R39, R60: the offer is lawful, and lists neither marker nor indicator.
def test_offer_is_lawful() -> None:
    assert decode(kexinit_payload(OFFER))[1] == []
    listed = {name for names in OFFER for name in names}
    assert not [name for name in listed if name.startswith((b"kex-strict", b"ext-info"))]


# hasshServer: kex;ciphers;MACs;compressions, all from server to client.
def test_hassh_server() -> None:
    server = (
        (b"k1", b"k2"),
        (b"host-keys-do-not-count",),
        (b"up-does-not-count",),
        (b"c1", b"c2"),
        (b"up-does-not-count",),
        (b"m1",),
        (b"up-does-not-count",),
        (b"none",),
        (b"languages-do-not-count",),
        (),
    )
    expected = md5(b"k1,k2;c1,c2;m1;none", usedforsecurity=False).hexdigest()
    assert hassh_server(Algorithms(*server)) == expected
