"""The tree of named errors: each says what is wrong, the value seen, and what to do, in one line."""


class VdiffError(Exception):
    """Base of every error this package raises on purpose; the command line prints it in one line and exits with 1."""


class InputError(VdiffError):
    """The input can't be read: no such file, empty, not a video, no video stream, no frames, frames of mixed sizes."""


class OutputError(VdiffError):
    """The output can't be written: no such folder, not writable, same as the input, unknown ending or encoder."""


class FormatError(VdiffError):
    """The input is readable but holds a pixel format, size or property that is not supported."""


class MaskError(VdiffError):
    """A mask whose size or length doesn't fit the video."""


class ReferencePictureError(VdiffError):
    """A reference picture of another size, another shot or no such frame, without colours, or contradicting another."""


class ClipError(VdiffError):
    """An array that is no clip: wrong rank, channels or dtype, NaN or infinite values, values out of range."""


class OptionError(VdiffError):
    """An option whose value is out of range or doesn't fit the others."""


class ConfigError(VdiffError):
    """A configuration file with an unknown key, a wrong type or a value out of range."""


class MissingError(VdiffError):
    """Something optional is asked for that isn't installed; the message names what to install."""


class WeightsError(VdiffError):
    """Weights that are missing, damaged, or of another architecture."""


class DataError(VdiffError):
    """Training data that is missing or unreadable."""


class CheckpointError(VdiffError):
    """A checkpoint that is missing, damaged, or belongs to another configuration."""


class ClusterError(VdiffError):
    """The other processes of a training run can't be reached; the message names the address."""


class DivergedError(VdiffError):
    """The loss or its gradient is no longer a number; the message names the step and the last good checkpoint."""


class StitchError(VdiffError):
    """Inputs that can't be stitched; the message names the pair and the reason."""


class OverlapError(StitchError):
    """Inputs of a panorama that share too little to be matched."""


class AttachmentError(VdiffError):
    """A compressed file's attachment that is damaged, or of a newer version."""
