"""The way into the songs database: wrong settings end at once with 2, by codes and in any language; the rest is 75."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pg_reader import reader

from deftunes_contract.errors import UsageError
from deftunes_extract.dsn import Dsn


class FakeServer:
    """Talks to each client as its script says; counts them."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self.clients = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    client, _ = self._listener.accept()
                except OSError:
                    return
                self.clients += 1
                with client:
                    client.settimeout(5)
                    with suppress(OSError):
                        talk(client)

        threading.Thread(target=serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def fake() -> Iterator[Callable[[Callable[[socket.socket], None]], FakeServer]]:
    servers: list[FakeServer] = []

    def make(talk: Callable[[socket.socket], None]) -> FakeServer:
        servers.append(FakeServer(talk))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate with its key, for no name of this machine."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(file), "-out", f"{file}.crt"]
    subprocess.run([*command, "-days", "2", "-subj", "/CN=elsewhere"], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def no_tls(client: socket.socket) -> None:
    client.recv(8)
    client.sendall(b"N")
    client.recv(4096)


def hang_up_after_tls(client: socket.socket) -> None:
    client.recv(8)
    client.sendall(b"S")


def with_tls(certificate: Path) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def talk(client: socket.socket) -> None:
        client.recv(8)
        client.sendall(b"S")
        context.wrap_socket(client, server_side=True).recv(4096)

    return talk


def after_startup(answer: bytes) -> Callable[[socket.socket], None]:
    def talk(client: socket.socket) -> None:
        first = client.recv(8)
        if struct.unpack("!i", first[4:])[0] == 80877103:
            client.sendall(b"N")
            client.recv(8)
        client.recv(4096)
        client.sendall(answer)
        client.recv(4096)

    return talk


def error(sqlstate: str) -> bytes:
    fields = b"".join(
        letter + text.encode() + b"\0"
        for letter, text in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", sqlstate), (b"M", "Grund auf Deutsch"))
    )
    return b"E" + struct.pack("!i", len(fields) + 5) + fields + b"\0"


def authentication(method: int) -> bytes:
    return b"R" + struct.pack("!ii", 8, method)


@pytest.mark.parametrize(
    ("talk", "options", "code"),
    [
        (no_tls, "sslmode=require", 2),
        (no_tls, "sslmode=verify-full&sslrootcert=system", 2),
        ("tls", "sslmode=verify-full&sslrootcert=system", 2),
        ("tls", "sslmode=verify-ca&sslrootcert=/nowhere.pem", 2),
        ("tls", "sslmode=require", 75),  # hangs up after the handshake
        (lambda client: client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "", 2),
        (hang_up_after_tls, "sslmode=require", 75),
        (after_startup(b""), "", 75),
        (after_startup(error("28P01")), "", 2),
        (after_startup(error("28000")), "", 2),
        (after_startup(error("3D000")), "", 2),
        (after_startup(error("42501")), "", 2),
        (after_startup(error("42704")), "", 2),
        (after_startup(error("08P01")), "", 2),
        (after_startup(error("0A000")), "", 2),
        (after_startup(error("57P03")), "", 75),
        (after_startup(error("53300")), "", 75),
        (after_startup(error("57P01")), "", 75),
        (after_startup(authentication(6)), "", 2),  # SCM credentials: nobody supports them any more
        (after_startup(authentication(3)), "", 2),  # a password, and none is given
        (after_startup(authentication(3)), "require_auth=scram-sha-256&password=x", 2),
    ],
)
def test_what_a_server_says_decides_by_its_code(
    extract: Any, fake: Any, certificate: Path, pauses: list[float], talk: Any, options: str, code: int
) -> None:
    server = fake(with_tls(certificate) if talk == "tls" else talk)
    dsn = f"postgresql://reader@127.0.0.1:{server.port}/songs?gssencmode=disable&{options}"
    outcome = extract("songs", DEFTUNES_SONGS_DSN=dsn.rstrip("&"), DEFTUNES_EXTRACT_ATTEMPTS=2)
    assert outcome.code == code
    assert len(pauses) == (0 if code == 2 else 1)
    assert server.clients >= 1


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"PGPORT": "abc"}, "PGPORT"),
        ({"PGPORT": "99999"}, "PGPORT"),
        ({"PGSSLMODE": "sometimes"}, "PGSSLMODE"),
        ({"PGCONNECT_TIMEOUT": "soon"}, "PGCONNECT_TIMEOUT"),
        ({"PGSERVICE": "nothing"}, "PGSERVICE"),
        ({"PGSERVICEFILE": "/nowhere", "PGSERVICE": "x"}, "PGSERVICE"),
        ({"PGTARGETSESSIONATTRS": "any-one"}, "PGTARGETSESSIONATTRS"),
        ({"PGCHANNELBINDING": "maybe"}, "PGCHANNELBINDING"),
        ({"PGGSSENCMODE": "maybe"}, "PGGSSENCMODE"),
        ({"PGREQUIREAUTH": "magic"}, "PGREQUIREAUTH"),
        ({"PGLOADBALANCEHOSTS": "maybe"}, "PGLOADBALANCEHOSTS"),
        ({"PGHOST": "localhost,localhost", "PGPORT": "1,2,3"}, "PGPORT"),
        ({"PGHOST": "unknown.invalid", "PGSSLMODE": "verify-full"}, "PGHOST"),
        ({"DEFTUNES_SONGS_DSN": "postgresql://h/d?sslmode=sometimes"}, "DEFTUNES_SONGS_DSN"),
        ({"DEFTUNES_SONGS_DSN": "postgresql://localhost/d?keepalives_idle=x"}, "DEFTUNES_SONGS_DSN"),
        ({"DEFTUNES_SONGS_DSN": "postgresql://localhost/d?connect_timeout=x"}, "DEFTUNES_SONGS_DSN"),
        ({"DEFTUNES_SONGS_DSN": "postgresql://localhost/d?colour=blue"}, "DEFTUNES_SONGS_DSN"),
        ({"DEFTUNES_SONGS_DSN": "postgresql://unknown.invalid/d?sslmode=verify-full"}, "DEFTUNES_SONGS_DSN"),
    ],
)
def test_a_wrong_option_is_named_by_who_sets_it(
    extract: Any, pauses: list[float], settings: dict[str, str], name: str
) -> None:
    outcome = extract("songs", **({"DEFTUNES_SONGS_DSN": "postgresql:///d"} | settings))
    assert outcome.code == 2
    assert name in outcome.said
    assert pauses == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"PGOPTIONS": "-c colour=blue"}, 2), ({"PGTZ": "Nowhere/Atall"}, 2), ({"PGUSER": "nobody-known"}, 2), ({}, 0)],
)
@pytest.mark.parametrize("language", ["C", "de_DE.UTF-8"])
def test_a_real_server(
    extract: Any, songs: Any, monkeypatch: pytest.MonkeyPatch, language: str, changed: dict[str, str], code: int
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    songs.sql("INSERT INTO deftunes.songs (track_id) VALUES ('TR1')")
    dsn = songs.dsn if "PGUSER" not in changed else songs.dsn.replace("postgres@", "", 1)
    outcome = extract("songs", DEFTUNES_SONGS_DSN=dsn, **changed)
    assert outcome.code == code


def test_nobody_listens(extract: Any, pauses: list[float], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for dsn in (f"postgresql://127.0.0.1:{port}/d", f"postgresql:///d?host={tmp_path}"):
        pauses.clear()
        assert extract("songs", DEFTUNES_SONGS_DSN=dsn, DEFTUNES_EXTRACT_ATTEMPTS=2).code == 75
        assert len(pauses) == 1


def test_the_second_server_answers_when_the_first_does_not(extract: Any, songs: Any) -> None:
    songs.sql("INSERT INTO deftunes.songs (track_id) VALUES ('TR1')")
    port = psycopg.conninfo.conninfo_to_dict(songs.dsn)["port"]
    dsn = f"postgresql://postgres@127.0.0.1:1,127.0.0.1:{port}/deftunes"
    assert extract("songs", DEFTUNES_SONGS_DSN=dsn).code == 0


SECRET = "r1ghtpart"


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://reader:left@{SECRET}@127.0.0.1:5432/songs",
        f"postgresql://reader:left/{SECRET}@127.0.0.1:5432/songs",
        f"postgresql://reader:12/{SECRET}@127.0.0.1:5432/songs",
        f"postgresql://reader:left?{SECRET}@127.0.0.1:5432/songs",
        f"postgresql://reader:left?user={SECRET}@127.0.0.1:5432/songs",
        f"postgresql://reader:%zz{SECRET}@127.0.0.1:5432/songs",
        f"postgresql://reader:left @{SECRET}@127.0.0.1/songs",
        f"postgresql://reader:a@b@{SECRET}@h1:1,h2:2/songs",
        f"host=127.0.0.1 password=left {SECRET} dbname=songs",
        f"host=127.0.0.1 password='{SECRET} dbname=songs",
        f"postgres:/reader:{SECRET}@127.0.0.1/songs",
        f"127.0.0.1/songs?password={SECRET}",
    ],
)
def test_a_badly_written_dsn_shows_nothing_of_itself(extract: Any, pauses: list[float], dsn: str) -> None:
    outcome = extract("songs", DEFTUNES_SONGS_DSN=dsn)
    assert outcome.code == 2
    assert SECRET not in outcome.log
    assert "left" not in outcome.log
    assert "percent-encoded" in outcome.said
    assert "PGPASSWORD" in outcome.said
    assert pauses == []


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://reader:%40%2F%23%25%3A%3F%20{SECRET}@127.0.0.1:1/songs",
        f"postgresql://reader:#:{SECRET}@127.0.0.1:1/songs",
        f"postgresql://reader@127.0.0.1:1/songs?password={SECRET}%40x",
        f"host=127.0.0.1 port=1 dbname=songs password='a b@/{SECRET}'",
        f"postgresql://reader:{SECRET}@127.0.0.1:1,[::1]:2/songs?sslpassword={SECRET}",
    ],
)
def test_a_well_written_one_says_where_and_no_more(extract: Any, dsn: str) -> None:
    outcome = extract("songs", DEFTUNES_SONGS_DSN=dsn, DEFTUNES_EXTRACT_ATTEMPTS=1)
    assert outcome.code == 75
    assert "postgresql://127.0.0.1:1" in outcome.said
    assert "/songs" in outcome.said
    assert SECRET not in outcome.log
    assert "reader" not in outcome.said


@pytest.mark.parametrize(
    ("dsn", "verified"),
    [
        ("postgresql://db.example/songs?sslmode=verify-full&sslrootcert=/ca.pem", True),
        ("postgresql://db.example/songs?sslmode=verify-ca", True),
        ("postgresql://db.example/songs?sslrootcert=system", True),
        ("postgresql://db.example/songs?sslmode=require", False),
        ("postgresql://db.example/songs", False),
        ("postgresql://localhost,db.example/songs", False),
        ("host=localhost hostaddr=10.0.0.1", False),
        ("postgresql://localhost/songs", True),
        ("postgresql://[::1],127.0.0.2/songs", True),
        ("postgresql:///songs?host=/run/postgresql", True),
        ("postgresql:///songs", True),
    ],
)
def test_a_server_elsewhere_proves_itself(dsn: str, verified: bool) -> None:
    if verified:
        reader(dsn)
    else:
        with pytest.raises(UsageError, match="DEFTUNES_ALLOW_UNVERIFIED"):
            reader(dsn)
    reader(dsn, allow_unverified=True)


def test_the_environment_may_name_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    reader("postgresql://db.example/songs")
    assert Dsn.parse("postgresql://db.example/songs", "DEFTUNES_SONGS_DSN").setter("sslmode") == "PGSSLMODE"
