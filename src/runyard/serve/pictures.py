"""Pictures of strangers: Pillow is told to leave alone what would fill the memory, or start another program."""

MOST_PIXELS = 25_000_000  # a small file can claim to be a huge image; Pillow refuses twice as many as this
_PROGRAMS = ("EPS",)  # kinds of images that it hands to a program, Ghostscript


def guard_pictures() -> None:
    """Let Pillow refuse them in this process from now on, if the project has it."""
    try:
        from PIL import Image
    except ImportError:
        return
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    Image.init()
    for kind in _PROGRAMS:
        if kind in Image.ID:
            Image.ID.remove(kind)
