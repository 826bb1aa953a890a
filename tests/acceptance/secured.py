"""A Kafka and a PostgreSQL that are reached by TLS, with certificates made for this run."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trustme
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives import serialization

from tests.services.account import unprivileged_account
from tests.services.kafka import LocalKafka
from tests.services.port import HOST, free_port
from tests.services.postgres import LocalPostgres

USER: Final = "ingester"
PASSWORD: Final = "canary-5c1d-scram"  # noqa: S105  # it is looked for in everything that is printed


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: of an authority, of a server and of a client, and of a stranger's authority."""

    authority: Path
    stranger: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    @classmethod
    def made(cls, directory: Path) -> "Certificates":
        """Issue them; the server's is for 127.0.0.1 and for no name."""
        authority, stranger = trustme.CA(), trustme.CA()
        authority.cert_pem.write_to_path(str(directory / "ca.pem"))
        stranger.cert_pem.write_to_path(str(directory / "stranger.pem"))
        for name, issued in (
            ("server", authority.issue_cert(HOST)),
            ("client", authority.issue_cert("client.example.org", common_name=USER)),
        ):
            chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
            (directory / f"{name}.pem").write_bytes(chain)
            (directory / f"{name}.key").write_bytes(_pkcs8(issued.private_key_pem.bytes()))
        return cls(
            authority=directory / "ca.pem",
            stranger=directory / "stranger.pem",
            server=directory / "server.pem",
            server_key=directory / "server.key",
            client=directory / "client.pem",
            client_key=directory / "client.key",
        )


class SecuredKafka:
    """A broker with a listener for each way in; plain text is for the test's own producer."""

    def __init__(self, directory: Path, certificates: Certificates) -> None:
        names = ("SSL", "SASL_SSL", "MTLS", "OAUTH", "PLAINTEXT", "CONTROLLER")
        ports = {name: free_port() for name in names}
        self.addresses = {name: f"{HOST}:{port}" for name, port in ports.items()}
        keystore = directory / "keystore.pem"
        keystore.write_bytes(
            certificates.server_key.read_bytes() + certificates.server.read_bytes()
        )
        outside = [name for name in ports if name != "CONTROLLER"]
        listeners = {name: f"{name}://{address}" for name, address in self.addresses.items()}
        self._broker = LocalKafka(
            directory / "kafka",
            port=ports["PLAINTEXT"],
            controller_port=ports["CONTROLLER"],
            properties={
                "listeners": ",".join(listeners.values()),
                "advertised.listeners": ",".join(listeners[name] for name in outside),
                "listener.security.protocol.map": "SSL:SSL,SASL_SSL:SASL_SSL,MTLS:SSL,"
                "OAUTH:SASL_SSL,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(keystore),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(certificates.authority),
                "listener.name.mtls.ssl.client.auth": "required",
                "listener.name.sasl_ssl.sasl.enabled.mechanisms": "SCRAM-SHA-512",
                # Tokens that are not signed: the broker's own validator for tests.
                "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
                "listener.name.oauth.oauthbearer.sasl.jaas.config": "org.apache.kafka.common"
                ".security.oauthbearer.OAuthBearerLoginModule required"
                ' unsecuredLoginStringClaim_sub="broker";',
                # Who is not asked for a name may do everything; others, what no ACL forbids.
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS",
                "allow.everyone.if.no.acl.found": "true",
                "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common"
                ".security.scram.ScramLoginModule required;",
            },
        )

    def allow(self, resource: ResourceType, name: str, *operations: AclOperation) -> None:
        """Let USER do this, and nobody else anything, to a topic or group."""
        admin = AdminClient({"bootstrap.servers": self.addresses["PLAINTEXT"]})
        pattern = ResourcePatternType.LITERAL
        allowed = AclPermissionType.ALLOW
        bindings = [
            AclBinding(resource, name, pattern, f"User:{USER}", "*", operation, allowed)
            for operation in operations
        ]
        for future in admin.create_acls(bindings).values():
            future.result(15)

    def start(self) -> None:
        """Start, and make the user known."""
        self._broker.start()
        admin = AdminClient({"bootstrap.servers": self.addresses["PLAINTEXT"]})
        kind = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        known = UserScramCredentialUpsertion(USER, kind, PASSWORD.encode())
        for future in admin.alter_user_scram_credentials([known]).values():
            future.result(15)

    def kill(self) -> None:
        """End it."""
        self._broker.kill()


def secured_postgres(directory: Path, certificates: Certificates) -> LocalPostgres:
    """A server that offers TLS, not started yet."""
    account = unprivileged_account()
    if account is not None:
        # The server reads its key only where it is its own and closed to others.
        os.chown(certificates.server_key, account.uid, account.gid)
    certificates.server_key.chmod(0o600)
    return LocalPostgres(
        directory / "postgres",
        settings={
            "ssl": "on",
            "ssl_cert_file": str(certificates.server),
            "ssl_key_file": str(certificates.server_key),
        },
    )


def _pkcs8(key: bytes) -> bytes:
    """The form of a private key that Kafka reads."""
    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
