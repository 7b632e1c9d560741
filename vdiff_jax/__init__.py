"""Video diffusion in JAX: repair, stitch and compress video by spreading what is known to where it is not."""
