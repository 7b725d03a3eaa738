"""TLS to a real MariaDB that has a certificate."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from stack import MariaDB

from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.errors import StoreDown
from seckill_sidecar.settings.schema import Timeouts, WriterSettings


def make_certificate(folder: Path, name: str) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key beside it; returns the certificate's path."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder, "server")
    make_certificate(folder, "stranger")
    return folder


@pytest.fixture(scope="module")
def tls_url(certificates: Path) -> Iterator[str]:
    """A database on a server that takes nothing but TLS."""
    certificate = certificates / "server.pem"
    with MariaDB(ssl_cert=str(certificate), ssl_key=str(certificate.with_suffix(".key"))) as server:
        url = server.create_database("shop")
        server.sql("CREATE USER shop IDENTIFIED BY 'secret' REQUIRE SSL; GRANT ALL ON shop.* TO shop")
        yield url.replace("root@", "shop:secret@")


@pytest.mark.parametrize("option", ["", "?ssl=required", "?ssl_ca={folder}/server.pem"])
def test_the_connection_is_encrypted(tls_url: str, certificates: Path, option: str) -> None:
    url = tls_url + option.format(folder=certificates)
    with closing(connect_orders_db(url, WriterSettings(), Timeouts())) as db:
        db.migrate()
        assert db.order("sku~" + "0" * 26) is None


@pytest.mark.parametrize("option", ["?ssl=off", "?ssl=verified", "?ssl_ca={folder}/stranger.pem"])
def test_a_server_that_is_not_the_one_meant_is_not_connected_to(tls_url: str, certificates: Path, option: str) -> None:
    url = tls_url + option.format(folder=certificates)
    with closing(connect_orders_db(url, WriterSettings(), Timeouts())) as db, pytest.raises(StoreDown) as raised:
        db.migrate()
    assert "secret" not in str(raised.value)
