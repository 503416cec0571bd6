"""Certificates for tests, and what a client needs to trust them."""

import ssl
from pathlib import Path

from case import run


class Certificate:
    """A self-signed certificate for localhost, in two files of a folder. Made anew by `renew`, in the same place."""

    def __init__(self, folder):
        self.certificate, self.key = Path(folder) / "cert.pem", Path(folder) / "key.pem"
        self.renew()

    def renew(self):
        run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", str(self.key), "-out", str(self.certificate),
        )  # fmt: skip

    def toml(self):
        """The value of a listener's `tls`."""
        return f'{{ certificate = "{self.certificate}", key = "{self.key}" }}'

    def der(self):
        """What a handshake shows."""
        return ssl.PEM_cert_to_DER_cert(self.certificate.read_text())

    def context(self):
        """A client that trusts the certificate as it is now, and nothing else."""
        return ssl.create_default_context(cafile=str(self.certificate))
