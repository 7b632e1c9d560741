"""The errors this package raises. Each message says in one line what is wrong, the value seen, and what to do."""


class VdiffError(Exception):
    """The base of all errors of this package. The command line prints it in one line and exits with 1."""


class InputError(VdiffError):
    """The input can't be read: no such file, empty, not a video, no frames, pictures of mixed sizes."""


class OutputError(VdiffError):
    """The output can't be written: no such folder, no permission, same as the input, unknown ending or encoder."""


class ResumeError(VdiffError):
    """Unfinished work can't be resumed: it is of another input, option or version, or is damaged."""


class FormatError(VdiffError):
    """The input can be read, but its pixel format, size or another property is not supported."""


class MaskError(VdiffError):
    """A mask can't be read, leaves nothing to repair from, or does not match the video's size or length."""


class ReferencePictureError(VdiffError):
    """A reference picture can't be read, has no colours, or does not match the video or another reference."""


class ClipError(VdiffError):
    """An array is not a clip: wrong rank, channels or dtype, NaN or infinite values, values out of range."""


class OptionError(VdiffError):
    """An option has a value out of range, or one that contradicts another option."""


class ConfigError(VdiffError):
    """A configuration file has an unknown key, a wrong type or a value out of range."""


class MissingError(VdiffError):
    """An optional dependency is not installed. The message names it."""


class WeightsError(VdiffError):
    """Weights are missing, damaged, or of another architecture."""


class DataError(VdiffError):
    """Training data is missing or can't be read."""


class CheckpointError(VdiffError):
    """A checkpoint is missing, damaged, or belongs to another configuration."""


class NotFiniteError(VdiffError):
    """The network gave NaN or infinite values for too many frames. The message says for how many."""


class DeviceMemoryError(VdiffError):
    """The work does not fit into memory. The message names the least that works, or what to pass."""


class ClusterError(VdiffError):
    """A cluster, or the other processes of a training run, can't be reached or used. The message names the address."""


class DivergedError(VdiffError):
    """The loss or its gradient is NaN or infinite. The message names the step and the last good checkpoint."""


class StitchError(VdiffError):
    """Inputs can't be stitched. The message names the pair and the reason."""


class OverlapError(StitchError):
    """Inputs of a panorama overlap too little to be matched."""


class AttachmentError(VdiffError):
    """A compressed file's attachment is damaged, or of a newer version."""
