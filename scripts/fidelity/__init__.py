"""Whether what goes into `repair` comes out: files of random kinds, what a file holds, and how two files differ."""
