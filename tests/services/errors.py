"""What can go wrong with the services, each with the exit code of DESIGN.md.

ServiceError                 a server did not start, answer or stop (75: trying again may help)
└── NoServices               nothing to run a server with (78: a person has to choose)
"""


class ServiceError(Exception):
    """A server did not start, answer or stop. The message says which, and names its log."""

    exit_code = 75


class NoServices(ServiceError):
    """Neither given, nor Docker, nor JDK 17+ with Maven. The message names the choices."""

    exit_code = 78
