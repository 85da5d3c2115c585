from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2id with 19 MiB and two passes, as OWASP has it: Django's 100 MiB for each login are half of the server."""

    time_cost = 2
    memory_cost = 19456
    parallelism = 1
