"""The list of all peers."""

from peers.peer import Peer


def peers_for(task: str, weights: list[str]) -> dict[str, Peer]:
    """All peers of a task by their names. This project comes first, once with each of the weights."""
    from peers import colorizers, denoisers, ffmpeg, inpainters, interpolators, project, upscalers

    listed = [*project.with_weights(task, weights), *ffmpeg.PEERS, *denoisers.PEERS, *inpainters.PEERS]
    listed += [*upscalers.PEERS, *colorizers.PEERS, *interpolators.PEERS]
    return {peer.name: peer for peer in listed if peer.task == task}
