"""The page is served to this machine alone unless told otherwise, and says in one line why it can't be."""

import socket
import sys

import pytest

from vdiff_jax.errors import MissingError, OptionError
from vdiff_jax.infer import main
from vdiff_jax.serve.server import check_address, is_local, launched


@pytest.fixture
def port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_other_machines_need_a_password(host, port):
    assert not is_local(host)
    with pytest.raises(OptionError, match="pass --password too, or leave out --host"):
        check_address(host, port, None)


def test_with_a_password_any_address_of_this_machine_is_taken(port):
    check_address("0.0.0.0", port, "secret")
    with pytest.raises(OptionError, match="is not an address of this machine"):
        check_address("198.51.100.7", port, "secret")


def test_this_machine_needs_none(port):
    assert is_local("127.0.0.1")
    assert is_local("::1")
    assert is_local("localhost")
    check_address("127.0.0.1", port, None)


def test_a_port_in_use_is_one_line(port, capsys):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        assert main(["serve", "--port", str(port)]) == 1
    assert capsys.readouterr().err == f"error: port {port} is in use: pass another one, such as --port {port + 1}\n"


def test_a_port_out_of_range_is_one_line(capsys):
    assert main(["serve", "--port", "70000"]) == 1
    assert "port 70000 is out of range" in capsys.readouterr().err


def test_without_gradio_the_extra_is_named(port, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingError, match=r"pip install 'vdiff_jax\[ui\]'"), launched(tmp_path, "127.0.0.1", port):
        pass
