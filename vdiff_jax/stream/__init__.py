"""The host side of the flow: frames in order, through NumPy and OpenCV."""
