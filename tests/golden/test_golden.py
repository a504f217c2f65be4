"""What every face says of every server is what a person has read and found good.

After a change of wording run ``PYTHONPATH=tests python tests/golden/golden_faces.py``, and read the
diff.
"""

import re
import sys

import pytest
from golden_faces import FOLDER, golden, path_of

from probe import Report
from probe.catalogue import SERVERS, Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the texts hold Linux's evidence")

every_server = pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)


@every_server
def test_every_face_says_what_it_said(server: Server) -> None:
    assert golden(server) == path_of(server).read_text()


def test_there_is_no_other_file() -> None:
    assert sorted(FOLDER.iterdir()) == sorted(map(path_of, SERVERS))


# Law 9: no octet of a peer reaches a terminal, a log or JSON unescaped.
@every_server
def test_nothing_in_it_could_harm_a_terminal(server: Server) -> None:
    lines = path_of(server).read_text().split("\n")
    assert all(line.isprintable() for line in lines if line)


@every_server
def test_the_faces_agree(server: Server) -> None:
    text = path_of(server).read_text()
    assert set(re.findall(r"^\$ sshprobe (.+)$", text, flags=re.MULTILINE)) == {
        "check",
        "nagios -v",
        "check -v",
        "check --json",
    }
    line, plugin, page, members = re.split(r"^\$ sshprobe .+\n", text, flags=re.MULTILINE)[1:]
    verdict = line.split()[2]
    assert plugin.split()[4].rstrip(":") == verdict
    assert page.split()[2] == verdict
    if "(many)" not in members:
        report = Report.from_json(members)
        assert report.verdict == verdict
        assert report.line() == line.rstrip("\n")
