"""What can go wrong when an exchange is set up on Kafka."""

from __future__ import annotations

from typing import Final

from lacolle.errors import LacolleError
from lacolle.folder import SETTINGS
from schemas.bilingual import Bilingual


class KafkaSetupError(LacolleError):
    """The brokers can't be reached or refuse, or a file of passwords can't be used; what was done before stands."""


NO_KAFKA: Final = Bilingual(
    fr=f"Cette plateforme n'a pas de messagerie Kafka : indiquez bus.kafka dans {SETTINGS}.",
    en=f"This exchange has no Kafka: name it under bus.kafka in {SETTINGS}.",
)
UNREACHABLE: Final = Bilingual(
    fr="Aucun courtier Kafka ne répond : vérifiez bootstrap, le réseau, et que les courtiers sont en marche.",
    en="No Kafka broker answers: check bootstrap, the network, and that the brokers are running.",
)
NOT_LET_IN: Final = Bilingual(
    fr="Kafka refuse l'administrateur : vérifiez username et password_file du fichier donné avec --as.",
    en="Kafka refuses the administrator: check username and password_file in the file given with --as.",
)
NOT_TRUSTED: Final = Bilingual(
    fr="La liaison TLS avec Kafka échoue : vérifiez ca_file, le certificat, et le nom d'hôte sous bootstrap.",
    en="TLS with Kafka fails: check ca_file, the certificate, and the host name under bootstrap.",
)
NOT_ALLOWED: Final = Bilingual(
    fr="Kafka n'accorde pas ce droit : donnez avec --as le fichier d'un administrateur (super.users).",
    en="Kafka does not allow that: give the file of an administrator (super.users) with --as.",
)
NO_RIGHTS_HERE: Final = Bilingual(
    fr="Ces courtiers ne vérifient aucun droit : réglez authorizer.class.name, ou, sur une machine d'essai, limitez-"
    "vous aux sujets avec --topics-only.",
    en="These brokers check no rights: set authorizer.class.name, or, on a machine for trials, create topics alone "
    "with --topics-only.",
)
TOO_FEW_BROKERS: Final = Bilingual(
    fr="Il y a moins de courtiers que topics.replication n'en demande : ajoutez-en, ou abaissez ce réglage.",
    en="There are fewer brokers than topics.replication asks for: add some, or lower that setting.",
)
BAD_CERTIFICATES: Final = Bilingual(
    fr="Les certificats de l'administrateur de Kafka ne peuvent être lus : vérifiez les fichiers sous security.",
    en="The certificates of Kafka's administrator can't be read: check the files under security.",
)
