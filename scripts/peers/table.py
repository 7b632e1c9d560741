"""The table of all peers."""

from peers.peer import Peer


def peers_for(task: str, weights: list[str]) -> dict[str, Peer]:
    """Every peer of a task by its name, this project with these weights first."""
    from peers import colorizers, enlargers, ffmpeg, inpainters, interpolators, networks, project

    listed = [*project.with_weights(task, weights), *ffmpeg.PEERS, *networks.PEERS, *inpainters.PEERS]
    listed += [*enlargers.PEERS, *colorizers.PEERS, *interpolators.PEERS]
    return {peer.name: peer for peer in listed if peer.task == task}
