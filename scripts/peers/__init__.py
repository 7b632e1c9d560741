"""The programs and libraries that this project is compared with, each behind the interface `peer.Peer`."""
