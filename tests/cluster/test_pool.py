"""Workers without the package or of another version get no assignment (cluster/pool.py). Ray does not run here."""

import types

import pytest
import ray.exceptions

from vdiff_jax.cluster import pool
from vdiff_jax.errors import ClusterError
from vdiff_jax.runtime.version import __version__


class FakeRay:
    """A cluster with a node for each version; the reference of an answer is the answer."""

    exceptions = ray.exceptions

    def __init__(self, versions):
        self._versions = versions

    def is_initialized(self):
        return True

    def shutdown(self):
        pass

    def nodes(self):
        names = self._versions
        return [
            {"NodeID": f"{n:056x}", "Alive": True, "Resources": {"CPU": 2.0}, "NodeManagerHostname": name}
            for n, name in enumerate(names)
        ]

    def remote(self, **options):
        return lambda kind: types.SimpleNamespace(options=self._actor)

    def _actor(self, *, scheduling_strategy, **resources):
        name = list(self._versions)[int(scheduling_strategy.node_id, 16)]
        answer = (name, self._versions[name])
        method = types.SimpleNamespace(remote=lambda: answer)
        return types.SimpleNamespace(remote=lambda: Worker(method))

    def wait(self, references, *, num_returns, timeout):
        return references, []

    def get(self, reference):
        return reference


class Worker:
    def __init__(self, version):
        self.version = version


def test_a_worker_of_another_version_is_named_and_left_out(monkeypatch, caplog):
    monkeypatch.setattr(pool, "ray_module", lambda: FakeRay({"old": "0.0.9", "bare": None, "good": __version__}))
    with pool.RayPool() as workers:
        (idle,) = workers.idle()
        assert idle.version.remote() == ("good", __version__)
        assert workers.idle() == [idle]
    assert caplog.messages == [
        f"old is not used: it has vdiff_jax 0.0.9, this machine has {__version__}",
        f"bare is not used: it has no vdiff_jax, this machine has {__version__}",
    ]


def test_a_cluster_without_a_worker_of_this_version_is_one_line(monkeypatch):
    monkeypatch.setattr(pool, "ray_module", lambda: FakeRay({"old": "0.0.9"}))
    with pool.RayPool() as workers, pytest.raises(ClusterError) as caught:
        workers.idle()
    assert str(caught.value) == (
        f"old has vdiff_jax 0.0.9: pip install vdiff_jax=={__version__} there, the version of this machine"
    )
