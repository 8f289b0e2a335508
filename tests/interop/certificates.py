# SPDX-License-Identifier: BSD-3-Clause
"""Certificates for tests of TLS: an authority, and what it signs, as PEM files in a folder."""
import base64
import datetime
import hashlib
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def _subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """Signs certificates; its own is FOLDER/NAME.crt."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.path = folder / f"{name}.crt"
        self._write(self.path, self._certificate(name, self.key, [], -1, 365, True))

    def _certificate(self, name, key, names, first_day, last_day, is_ca=False):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(_subject(name)).issuer_name(_subject(self.name))
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now + first_day * DAY).not_valid_after(now + last_day * DAY)
                   .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    @staticmethod
    def _write(path, certificate):
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, what, name, first_day=-1, last_day=90, address="127.0.0.1"):
        """FOLDER/WHAT.crt and FOLDER/WHAT.key for the DNS name and the address; returns the pin."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
        fresh = self.folder / f"{what}.new"
        fresh.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                            serialization.NoEncryption()))
        fresh.chmod(0o600)
        fresh.rename(self.folder / f"{what}.key")
        self._write(self.folder / f"{what}.crt", self._certificate(name, key, names, first_day, last_day))
        public = key.public_key().public_bytes(serialization.Encoding.DER,
                                               serialization.PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(public).digest()).decode()
