"""What leaves the process holds no secret and nothing that acts on a terminal, and stays readable."""

from __future__ import annotations

import base64
import json
import logging
import sys
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from deftunes_contract import redaction
from deftunes_contract.errors import StageError
from deftunes_contract.logs import configure_logs
from deftunes_contract.redaction import printable, redact, redact_all, register_environment, register_userinfo


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(redaction, "_known", set())
    redaction._matcher.cache_clear()
    yield
    redaction._matcher.cache_clear()


def basic(login: str) -> str:
    return base64.b64encode(login.encode()).decode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at postgresql://u:pa@ss/w#rd@h:5432/db now", "at postgresql://***@h:5432/db now"),
        ("at https://u:p@[::1]:8080/x", "at https://***@[::1]:8080/x"),
        ("password='a b\\'c' host=h", "password=*** host=h"),
        ("host=h password = abc;", "host=h password = ***;"),
        ('{"password": "a\\"b", "n": 1}', '{"password": "***", "n": 1}'),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        (f"Proxy-Authorization: Basic {basic('u:p')} sent", "Proxy-Authorization: *** sent"),
        ('{"authorization": "Basic xyz", "n": 1}', '{"authorization": "***", "n": 1}'),
        ("{'Authorization': 'Token abc', 'n': 1}", "{'Authorization': '***', 'n': 1}"),
        (f"you sent Basic {basic('user:pass')}", "you sent Basic ***"),
        ("Authorization: Digest username=\"u\", response=\"abc\" end", "Authorization: *** end"),
        ("X-Api-Key: abcdef", "X-Api-Key: ***"),
        ("to https://s3/o?X-Amz-Signature=ab&n=1&X-Amz-Credential=AK%2F1", "to https://s3/o?X-Amz-Signature=***&n=1&X-Amz-Credential=***"),
        ("/o?AWSAccessKeyId=A&Signature=b%3D&Expires=1", "/o?AWSAccessKeyId=***&Signature=***&Expires=1"),
        ("blob?sv=1&sig=ab%2Fc&se=2", "blob?sv=1&sig=***&se=2"),
        ("cb#access_token=abc&n=1", "cb#access_token=***&n=1"),
        ("login?to=https%3A%2F%2Fh%3Ftoken%3Dabc%26n%3D1", "login?to=https%3A%2F%2Fh%3Ftoken%3D***%26n%3D1"),
        ("key AKIAABCDEFGHIJKLMNOP", "key ***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "***"),
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END P", "-----BEGIN PRIVATE KEY-----***-----END P"),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://h:8080/@shop/users?start_date=2020-01-01&country_code=US",
        "http://[::1]:80/a@b",
        'password authentication failed for user "x"',
        "--password-file: expected a file",
        "DEFTUNES_AIRFLOW_PASSWORD: Field required",
        "basic authentication needed, exit code=2, partition key=1",
        "delivered 1,234 records to s3://bucket/lake",
        "12:30:00 mail me@example.org",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


PASSWORD = "pa ss/w@rd#%:?'\"é"


@pytest.mark.parametrize(
    "form",
    [PASSWORD, quote(PASSWORD, safe=""), json.dumps(PASSWORD), repr(PASSWORD), basic(f"reader:{PASSWORD}")],
)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "DEFTUNES_X_DSN"])
def test_a_known_password_is_masked_in_every_form(form: str, variable: str) -> None:
    register_environment({variable: f"http://reader:{quote(PASSWORD, safe='')}@h:1"})
    assert redact(f"the server says {form} was sent").count("pa") == 0


def test_secrets_of_the_environment_are_known_by_name() -> None:
    register_environment({"PGPASSWORD": "hunter2", "AWS_SESSION_TOKEN": "tok/en+1234", "REDSHIFT_PASSWORD": "Zebra-99"})
    assert redact("hunter2 and tok/en+1234 and xZebra-99x, hunter22") == "*** and *** and x***x, hunter22"


@pytest.mark.parametrize("password", ["a", "ab", "deftunes"])
def test_a_password_like_a_word_does_not_make_nonsense(password: str) -> None:
    register_environment({"PGPASSWORD": password, "DEFTUNES_SONGS_DSN": f"postgresql://u:{password}@h/d"})
    sentence = "expected a table deftunes.songs, found a view"
    assert redact(sentence) == sentence
    assert redact(f"postgresql://u:{password}@h/d password={password}") == "postgresql://***@h/d password=***"


def test_pieces_of_a_badly_written_url_are_known() -> None:
    register_userinfo("postgresql://reader:left@r1ghtpart@127.0.0.1:5432/songs")
    assert "r1ghtpart" not in redact('could not translate host name "r1ghtpart@127.0.0.1"')


def test_json_stays_json() -> None:
    register_environment({"PGPASSWORD": 'qu"ote\\d'})
    said = {"event": 'sent qu"ote\\d', "url": "http://u:p@h/?token=a", "n": 1, "password": "x"}
    assert json.loads(redact(json.dumps(said))) == json.loads(json.dumps(redact_all(said))) | {"password": "***"}


def test_what_acts_on_a_terminal_is_shown() -> None:
    assert printable("a\x1b]0;x\x07\x1b[31m\n\u202eb\ud800\x9b") == r"a\x1b]0;x\x07\x1b[31m\n\u202eb\ud800\x9b"
    assert printable("Straße 日本 🎵 [red]") == "Straße 日本 🎵 [red]"
    assert printable("a\nb", keep="\n") == "a\nb"


def test_errors_hold_no_secret() -> None:
    register_environment({"PGPASSWORD": "hunter2"})
    assert str(StageError("found hunter2\x1b[2J")) == r"found ***\x1b[2J"


@pytest.mark.parametrize("form", ["json", "text"])
def test_every_log_line_and_trace_is_clean(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours, a library's, and the traces of both; a new line in a value begins no line of the log."""
    register_environment({"PGPASSWORD": "hunter2"})
    configure_logs(form)
    log = structlog.get_logger("x")
    log.info(
        "sent hunter2\nforged \x1b[31m", url="http://me:hunter2@h", more={"a": ["hunter2"]}, kind=ValueError("hunter2")
    )
    logging.getLogger("botocore").warning("sent %s", "hunter2")
    try:
        raise ValueError("hunter2")
    except ValueError:
        log.exception("oh")
        logging.getLogger("py4j").exception("hunter2")
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    said = capsys.readouterr().err
    assert "hunter2" not in said
    assert "\x1b" not in said
    assert said.count("ValueError") >= 3
    assert not any(line.startswith("forged") for line in said.splitlines())
