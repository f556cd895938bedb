"""The one error that a user is meant to see."""


class InputError(Exception):
    """Something the user gave is wrong: a file, a line, a key, a run folder.

    The message is one clear line that names the place and what was expected; the command line
    prints it and exits with code 2. Anything else that escapes is a bug in Phosphene.
    """


class StorageError(Exception):
    """Something could not be written (a full disk, no permission): one line, exit code 1."""
