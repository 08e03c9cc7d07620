"""What can go wrong with the embedded stack.

StackError
├── StateInUseError         another stack lives in the state folder
├── PortInUseError          a port that was asked for by number is taken
├── ChildCrashedError       a process ended by itself, or could not be started
│   └── PortLostError       ... because another process took its port in the meantime: tried again with others
├── NotReadyError           a process lives but does not answer in time
└── BinaryUnavailableError  one way to a server binary, or every way, is closed
"""


class StackError(Exception):
    """The embedded stack cannot run; the message says what happened and what to do."""


class StateInUseError(StackError):
    """Another stack lives in the state folder."""


class PortInUseError(StackError):
    """A port that was asked for by number is taken."""


class ChildCrashedError(StackError):
    """A process ended by itself, or could not be started."""


class PortLostError(ChildCrashedError):
    """A process ended because another took one of its ports first."""


class NotReadyError(StackError):
    """A process lives but does not answer in time."""


class BinaryUnavailableError(StackError):
    """A server binary cannot be had in this way, or in any."""
