"""The programs and libraries this project is compared with, each behind the same few names: see `peer.Peer`."""
