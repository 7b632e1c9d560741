"""The stages that run on the host, frame by frame in order, with NumPy and OpenCV."""
